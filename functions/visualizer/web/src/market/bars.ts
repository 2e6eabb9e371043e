/** Bars of a symbol as the page holds them: in order, each once, with the holes that the server tells of. */

/** Open time, open, high, low, close, volume. */
export type Row = [number, string, string, string, string, string];

export interface Gap {
  from: number;
  to: number;
  missing: number;
}

export interface Bar {
  time: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}

/** A stretch of a series: all its bars between the first and the last. */
export interface Held {
  bars: Bar[];
  gaps: Gap[];
  /** Whether there are bars before the first. */
  earlier: boolean;
  /** Whether there are bars after the last. */
  later: boolean;
}

/** What the server answers of a series: a stretch, and whether older bars are there. */
export type Page = Omit<Held, 'later'>;

/** Some screens to each side of what is looked at; what lies farther away is read again when one comes there. */
export const MOST_BARS = 20_000;

const UNITS: Record<string, number> = { s: 1e3, m: 60e3, h: 3_600e3, d: 86_400e3, w: 604_800e3, M: 2_629_800e3 };
/** A hole wider than this is drawn narrower than it is; it is told of in words. */
const WIDEST = 1_500;

/** Length of a bar in milliseconds; a month's is that of the average one. */
export function length(interval: string): number {
  const unit = UNITS[interval.slice(-1)] ?? 60e3;
  return Number.parseInt(interval, 10) * unit;
}

export function bar(row: Row): Bar {
  const [time, open, high, low, close, volume] = row;
  return { time, open: Number(open), high: Number(high), low: Number(low), close: Number(close), volume: Number(volume) };
}

/** Both lists in one, ascending; where both have a bar, `fresh` is right. */
export function merge(held: Bar[], fresh: Bar[]): Bar[] {
  const first = fresh[0];
  const last = held.at(-1);
  if (!first) return held;
  if (!last || first.time > last.time) return [...held, ...fresh];
  const all = new Map(held.map((one) => [one.time, one]));
  for (const one of fresh) all.set(one.time, one);
  return [...all.values()].sort((a, b) => a.time - b.time);
}

/** Adds what lies before the stretch; where that is too much, the newest bars go. */
export function addOlder(held: Held, page: Page): Held {
  const all = merge(page.bars, held.bars);
  const bars = all.slice(0, MOST_BARS);
  const gaps = mergeGaps(page.gaps, held.gaps, Number.POSITIVE_INFINITY);
  return { bars, gaps: inside(gaps, bars), earlier: page.earlier, later: held.later || bars.length < all.length };
}

/** Adds what lies at the end of the stretch or after it; where that is too much, the oldest bars go. */
export function addNewer(held: Held, page: Page, later: boolean): Held {
  const all = merge(held.bars, page.bars);
  const bars = all.slice(-MOST_BARS);
  const first = page.bars[0]?.time ?? Number.POSITIVE_INFINITY;
  const isAllOld = first <= (held.bars[0]?.time ?? Number.POSITIVE_INFINITY);
  const earlier = bars.length < all.length || (isAllOld ? page.earlier : held.earlier);
  return { bars, gaps: inside(mergeGaps(held.gaps, page.gaps, first), bars), earlier, later };
}

/** The gaps between the bars, and the one behind the last: it tells where the next bar is. */
function inside(gaps: Gap[], bars: Bar[]): Gap[] {
  const [first, last] = [bars[0], bars.at(-1)];
  if (!first || !last) return gaps;
  const behind = gaps.find((gap) => gap.from > last.time);
  return gaps.filter((gap) => gap.to >= first.time && (gap.from <= last.time || gap === behind));
}

/** The gaps of both lists, each once; what was told again of the same range is newer. */
export function mergeGaps(held: Gap[], fresh: Gap[], from: number): Gap[] {
  const kept = held.filter((gap) => gap.to < from);
  const all = new Map([...kept, ...fresh].map((gap) => [gap.from, gap]));
  return [...all.values()].sort((a, b) => a.from - b.from);
}

/** The open times at which no bar is and one should be. */
export function holes(gap: Gap, step: number): number[] {
  const count = Math.min(Math.max(1, Math.round((gap.to - gap.from) / step) + 1), Math.max(1, gap.missing), WIDEST);
  return Array.from({ length: count }, (_, index) => gap.from + index * step);
}

/** Folds a trade into the bar that is still open; none where the trade belongs to a bar that is closed. */
export function fold(bars: Bar[], forming: Bar | undefined, trade: { time: number; price: number; quantity: number }, step: number): Bar | undefined {
  const time = Math.floor(trade.time / step) * step;
  const closed = bars.at(-1);
  if ((closed && time <= closed.time) || (forming && time < forming.time)) return forming;
  const { price, quantity } = trade;
  if (forming?.time !== time) {
    const open = closed && closed.time + step === time ? closed.close : price;
    return { time, open, high: Math.max(open, price), low: Math.min(open, price), close: price, volume: quantity };
  }
  return { ...forming, high: Math.max(forming.high, price), low: Math.min(forming.low, price), close: price, volume: forming.volume + quantity };
}
