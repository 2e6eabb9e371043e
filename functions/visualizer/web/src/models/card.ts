/** Cards of models: their scores beside baselines, in an order and on a scale that can be compared. */

export interface Score {
  mean: number;
  spread: number;
  windows: number[];
}

export type Scores = Record<string, Record<string, Score>>;

export interface VersionInfo {
  version: string;
  trained_at?: number;
  epochs?: number;
  graph?: string;
  horizon?: number;
  interval?: string;
  scores?: Scores;
}

export interface Model {
  name: string;
  latest?: string | null;
  versions: VersionInfo[];
}

export interface Card {
  name: string;
  version: string;
  created: number;
  graph: string;
  interval: string;
  symbols: string[];
  range: { from: number; to: number };
  definition: { horizon: number; band: number; features: string[] };
  training: Record<string, unknown>;
  scores: Scores;
  verdicts: { words: string }[];
}

/** Which version of which model; written in addresses as `name/version`. */
export interface Chosen {
  name: string;
  version: string;
}

interface Target {
  key: string;
  title: string;
  unit: string;
  isMoreBetter: boolean;
}

export const TARGETS: Target[] = [
  { key: 'volatility', title: 'Volatility', unit: 'mean squared error of its logarithm, less is better', isMoreBetter: false },
  { key: 'volatility_qlike', title: 'Volatility, QLIKE', unit: 'loss, less is better', isMoreBetter: false },
  { key: 'direction', title: 'Direction', unit: 'share of right ones, more is better', isMoreBetter: true },
  { key: 'direction_log_loss', title: 'Direction, log loss', unit: 'loss, less is better', isMoreBetter: false },
];

/** The entry of the scores that is the trained network itself. */
export const NETWORK = 'network';

export interface Entrant extends Score {
  name: string;
}

/** Who was judged, the best first. */
export function ranking(scores: Record<string, Score>, isMoreBetter: boolean): Entrant[] {
  const all = Object.entries(scores).map(([name, score]) => ({ name, ...score }));
  return all.sort((a, b) => (isMoreBetter ? b.mean - a.mean : a.mean - b.mean));
}

/** From the smallest to the largest value of all the scores, with room at both ends. */
export function extent(all: Record<string, Score>[]): [number, number] {
  const values = all.flatMap((scores) => Object.values(scores)).flatMap(({ mean, spread, windows }) => [mean - spread, mean + spread, ...windows]);
  const finite = values.filter(Number.isFinite);
  if (finite.length === 0) return [0, 1];
  const [low, high] = [Math.min(...finite), Math.max(...finite)];
  const room = (high - low || Math.abs(high) || 1) * 0.04;
  return [low - room, high + room];
}

/** A verdict as a sentence about the network. */
export function sentence(words: string): string {
  const text = words.replace(`\`${NETWORK}\``, 'The network');
  return text.endsWith('.') ? text : `${text}.`;
}

export function parse(text: string | null | undefined): Chosen | undefined {
  const [name, version] = (text ?? '').split('/');
  return name && version ? { name, version } : undefined;
}
