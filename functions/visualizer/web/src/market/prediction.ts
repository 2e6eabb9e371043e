/** Predictions as the server tells them, and the band that follows from one. */
import type { Bar } from './bars';

export interface Health {
  needed: number;
  present: number;
  filled: number;
  open_gaps: number;
  lacking: number;
  age?: number;
  grade: 'good' | 'degraded' | 'poor';
}

export type Class = 'down' | 'sideways' | 'up';

export interface Prediction {
  model: string;
  version: string;
  symbol: string;
  interval: string;
  horizon: number;
  split: string;
  open_time: number;
  volatility: number;
  probabilities: Record<Class, number>;
  realised_volatility?: number | null;
  realised_class?: Class | null;
  health?: Health | null;
}

export interface BandPoint {
  /** Open time of the bar at whose end the horizon is over. */
  time: number;
  low: number;
  high: number;
}

/**
 * Where the price should be when the horizon is over: the close that was seen, up and down by the predicted volatility.
 * Log returns of `horizon` bars add up, so that their deviation grows with the root of the horizon.
 */
export function band(predictions: Prediction[], bars: Bar[], step: number): BandPoint[] {
  const closes = new Map(bars.map((bar) => [bar.time, bar.close]));
  return predictions.flatMap(({ open_time: time, volatility, horizon }) => {
    const close = closes.get(time);
    if (close === undefined) return [];
    const width = volatility * Math.sqrt(horizon);
    return [{ time: time + horizon * step, low: close * Math.exp(-width), high: close * Math.exp(width) }];
  });
}

/** The class with the greatest probability. */
export function likeliest({ probabilities }: Prediction): Class {
  const order: Class[] = ['down', 'sideways', 'up'];
  return order.reduce((best, name) => (probabilities[name] > probabilities[best] ? name : best), 'sideways');
}

/** How often the likeliest class came, of those whose outcome is known. */
export function hits(predictions: Prediction[]): { right: number; known: number } {
  const known = predictions.filter((prediction) => prediction.realised_class);
  return { right: known.filter((prediction) => prediction.realised_class === likeliest(prediction)).length, known: known.length };
}
