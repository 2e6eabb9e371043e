/** The order book of a symbol, folded from what the feed tells of it. */

/** Price and quantity, as the exchange wrote them. */
export type Level = [string, string];

export interface DepthData {
  snapshot?: { last_update_id: number; bids: Level[]; asks: Level[] };
  updates: { U: number; u: number; b: Level[]; a: Level[] }[];
  best?: [Level | null, Level | null];
  checksum?: number;
}

/** `whole`: since a snapshot, without a break; `partial`: of the changes alone; `broken`: a gap was told of. */
export type Trust = 'whole' | 'partial' | 'broken';

const CHECKED_LEVELS = 10;

export class Book {
  #bids = new Map<string, string>();
  #asks = new Map<string, string>();
  #last = 0;
  #trust: Trust = 'partial';
  /** Of the last differences; a feed tells many between two looks at the book, so that what needs an order waits for one. */
  #checksum: number | undefined;
  #ordered: { bids: Level[]; asks: Level[] } | undefined;
  #isChecked: boolean | undefined;

  get trust(): Trust {
    return this.#trust;
  }

  /** Whether the ten best levels are those that the feed computed its checksum of; not known without one. */
  get isChecked(): boolean | undefined {
    if (this.#checksum === undefined) return undefined;
    this.#isChecked ??= crc32(this.#best()) === this.#checksum;
    return this.#isChecked;
  }

  /** Begins anew with a whole book. */
  reset(lastUpdateId: number, bids: Level[], asks: Level[], trust: Trust = 'whole'): void {
    this.#bids = new Map(bids);
    this.#asks = new Map(asks);
    this.#last = lastUpdateId;
    this.#trust = trust;
    this.#changed(undefined);
  }

  /** A gap: what is held may be wrong until the next snapshot. */
  broke(): void {
    this.#trust = 'broken';
    this.#changed(undefined);
  }

  apply(data: DepthData): void {
    if (data.snapshot) this.reset(data.snapshot.last_update_id, data.snapshot.bids, data.snapshot.asks);
    for (const { U: first, u: last, b: bids, a: asks } of data.updates) {
      // A difference that was gone through already changes nothing; one behind a hole makes the book doubtful.
      if (last <= this.#last) continue;
      if (this.#last > 0 && first > this.#last + 1 && this.#trust === 'whole') this.#trust = 'broken';
      set(this.#bids, bids);
      set(this.#asks, asks);
      this.#last = last;
    }
    this.#dropCrossed(data.best);
    this.#changed(data.checksum);
  }

  /** Bids, the highest first. */
  bids(): readonly Level[] {
    return this.#inOrder().bids;
  }

  /** Asks, the lowest first. */
  asks(): readonly Level[] {
    return this.#inOrder().asks;
  }

  #inOrder(): { bids: Level[]; asks: Level[] } {
    this.#ordered ??= { bids: ordered(this.#bids, -1), asks: ordered(this.#asks, 1) };
    return this.#ordered;
  }

  #changed(checksum: number | undefined): void {
    this.#checksum = checksum;
    this.#ordered = undefined;
    this.#isChecked = undefined;
  }

  /** Of a partial book levels may be left that the best price has gone past; they are no more. */
  #dropCrossed(best: DepthData['best']): void {
    if (!best || this.#trust === 'whole') return;
    const [bid, ask] = best;
    if (bid) for (const price of this.#bids.keys()) if (Number(price) > Number(bid[0])) this.#bids.delete(price);
    if (ask) for (const price of this.#asks.keys()) if (Number(price) < Number(ask[0])) this.#asks.delete(price);
    if (bid) this.#bids.set(bid[0], bid[1]);
    if (ask) this.#asks.set(ask[0], ask[1]);
  }

  #best(): string {
    const { bids, asks } = this.#inOrder();
    let text = '';
    for (let index = 0; index < CHECKED_LEVELS; index += 1) {
      for (const level of [bids[index], asks[index]]) if (level) text += `${level[0]}:${level[1]};`;
    }
    return text;
  }
}

export interface Rung {
  price: string;
  quantity: string;
  /** All quantity from the best level to this one. */
  sum: number;
}

/** The best levels with their running sums. */
export function rungs(levels: readonly Level[], most: number): Rung[] {
  let sum = 0;
  return levels.slice(0, most).map(([price, quantity]) => {
    sum += Number(quantity);
    return { price, quantity, sum };
  });
}

function ordered(side: Map<string, string>, sign: 1 | -1): Level[] {
  const ranked = Array.from(side, (level) => ({ level, rank: sign * Number(level[0]) }));
  return ranked.sort((a, b) => a.rank - b.rank).map(({ level }) => level);
}

function set(side: Map<string, string>, levels: Level[]): void {
  for (const [price, quantity] of levels) {
    if (Number(quantity) === 0) side.delete(price);
    else side.set(price, quantity);
  }
}

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let rest = byte;
  for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? 0xedb88320 ^ (rest >>> 1) : rest >>> 1;
  return rest;
});

export function crc32(text: string): number {
  let rest = 0xffffffff;
  for (let index = 0; index < text.length; index += 1) {
    rest = (TABLE[(rest ^ text.charCodeAt(index)) & 0xff] ?? 0) ^ (rest >>> 8);
  }
  return (rest ^ 0xffffffff) >>> 0;
}
