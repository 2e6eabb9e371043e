/** Colours of the style sheet for what is drawn on a canvas, and names beside dots. */
import { colour } from '../shell/theme';

export interface Palette {
  communities: string[];
  line: string;
  against: string;
  surface: string;
  text: string;
}

const COMMUNITIES = 8;

export function palette(): Palette {
  return {
    communities: Array.from({ length: COMMUNITIES }, (_, index) => colour(`c${index}`)),
    line: colour('strong-line'),
    against: colour('down'),
    surface: colour('surface'),
    text: colour('text'),
  };
}

/** A colour that lies between two: lines that do not shine through are drawn quicker and look the same. */
export function mix(ground: string, own: string, share: number): string {
  const [from, to] = [channels(ground), channels(own)];
  const mixed = from.map((value, index) => Math.round(value + ((to[index] ?? value) - value) * share));
  return `rgb(${mixed.join(',')})`;
}

const read = new Map<string, number[]>();

function channels(text: string): number[] {
  let known = read.get(text);
  if (!known) read.set(text, (known = (text.match(/[\d.]+/g) ?? []).slice(0, 3).map(Number)));
  return known;
}

interface Named {
  x: number;
  y: number;
  size: number;
  label: string | null;
}

/** Writes the name of a dot above it, legible on whatever is there. */
export function drawName(context: CanvasRenderingContext2D, { x, y, size, label }: Named, font: string, { surface, text }: Palette): void {
  if (!label) return;
  context.font = font;
  context.textAlign = 'center';
  context.lineJoin = 'round';
  context.lineWidth = 4;
  context.strokeStyle = surface;
  context.strokeText(label, x, y - size - 4);
  context.fillStyle = text;
  context.fillText(label, x, y - size - 4);
}
