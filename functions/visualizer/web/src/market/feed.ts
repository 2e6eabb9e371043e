/** Everything of one symbol that the page shows: what is stored, and from then on what comes. */
import { get, Problem, query, words } from '../api';
import { follow, type Message } from '../stream';
import { addNewer, addOlder, bar, fold, length, type Bar, type Gap, type Held, type Page, type Row } from './bars';
import { Book, type DepthData, type Level, type Trust } from './book';
import type { Prediction } from './prediction';

export interface Trade {
  id: number;
  time: number;
  price: string;
  quantity: string;
  /** Whether the buyer was the maker: the trade was a sale then. */
  isSale: boolean;
}

/** A gap that a feed told of; numbers are ids of trades or updates, or open times of bars. */
export interface Declared {
  stream: string;
  from: number;
  to: number;
  state: 'open' | 'filled' | 'left';
  why: string;
  since: number;
}

export interface Completeness {
  stream: string;
  missing: Gap[];
  declared: Declared[];
  health: { grade: string; needed: number; present: number; filled: number; open_gaps: number };
}

export interface View extends Held {
  /** None as long as the newest bars are not held. */
  forming: Bar | undefined;
  /** Newest first. */
  trades: Trade[];
  earlierTrades: boolean;
  book: Book;
  /** Grows with each change of the book. */
  bookVersion: number;
  bookAt: number | undefined;
  predictions: Prediction[];
  arePredictionsRead: boolean;
  coverage: Completeness[];
  isRead: boolean;
  problem: string | undefined;
}

const FIRST_BARS = 1_000;
const MORE_BARS = 2_000;
const TRADES = 500;
const MOST_TRADES = 5_000;
const DRAW_MILLIS = 200;
const PREDICTIONS_MILLIS = 1_000;
const COVERAGE_MILLIS = 3_000;

export class Feed {
  #view: View = {
    bars: [],
    gaps: [],
    forming: undefined,
    earlier: false,
    later: false,
    trades: [],
    earlierTrades: false,
    book: new Book(),
    bookVersion: 0,
    bookAt: undefined,
    predictions: [],
    arePredictionsRead: false,
    coverage: [],
    isRead: false,
    problem: undefined,
  };
  readonly #stopped = new AbortController();
  readonly #step: number;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();
  #unfollow: (() => void) | undefined;
  #isReading = false;
  /** Open time of the newest bar that was told of, held or not. */
  #newest = Number.NEGATIVE_INFINITY;
  #tradeIds = new Set<number>();

  constructor(
    readonly symbol: string,
    readonly interval: string,
    readonly hasTrades: boolean,
    readonly onChange: (view: View) => void,
  ) {
    this.#step = length(interval);
    void this.#begin();
  }

  stop(): void {
    this.#stopped.abort();
    this.#unfollow?.();
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** Reads bars that are older than those that are held. */
  async older(): Promise<void> {
    const [first] = this.#view.bars;
    if (!first || !this.#view.earlier) return;
    await this.#alone(() => this.#readBars(first.time, MORE_BARS, (page) => addOlder(this.#view, page)));
  }

  /** Reads bars that are newer than those that are held. */
  async newer(): Promise<void> {
    await this.#alone(async () => {
      // A hole may be wider than what is asked for: the answer tells where it ends.
      for (let before = 0; this.#view.later && before < this.#beyond(); ) {
        before = this.#beyond();
        const end = this.#view.bars.at(-1)?.time;
        await this.#readBars(before, MORE_BARS, (page) => addNewer(this.#view, page, (page.bars.at(-1)?.time ?? 0) < this.#newest));
        if (end !== this.#view.bars.at(-1)?.time) return;
      }
    });
  }

  /** The time before which the next newer bars lie. */
  #beyond(): number {
    const { bars, gaps } = this.#view;
    const [last, hole] = [bars.at(-1)?.time ?? 0, gaps.at(-1)];
    return (hole && hole.from > last ? hole.to : last) + (MORE_BARS + 1) * this.#step;
  }

  /** Has the bars around a time instead of those that are held; without a time, the newest. */
  async reach(time: number | undefined): Promise<void> {
    const { bars } = this.#view;
    const isHeld = time !== undefined && (bars[0]?.time ?? time) <= time && time <= (bars.at(-1)?.time ?? 0);
    if (isHeld) return;
    const before = time === undefined ? undefined : time + (FIRST_BARS / 2) * this.#step;
    await this.#readBars(before, FIRST_BARS, (page) => ({ ...page, later: time !== undefined && (page.bars.at(-1)?.time ?? 0) < this.#newest }));
    this.onChange(this.#view);
  }

  async olderTrades(): Promise<void> {
    const last = this.#view.trades.at(-1);
    if (!last || !this.#view.earlierTrades || this.#view.trades.length >= MOST_TRADES) return;
    await this.#readTrades(last.id);
  }

  async #begin(): Promise<void> {
    // Neither the book nor a stream that never stands keeps from view what is stored.
    void this.#read();
    const place = await this.#readBook();
    if (this.#stopped.signal.aborted) return;
    this.#unfollow = follow(query('/views/topics/market-data/events', { subject: this.symbol }), {
      ...(place === undefined ? {} : { from: place }),
      onMessage: (message) => this.#take(message),
      // What is stored is read again once the stream stands, so that nothing falls between the two.
      onOpen: () => void this.#read(),
      onRefused: (reason) => this.#set({ problem: reason }),
    });
  }

  async #read(): Promise<void> {
    await Promise.all([this.#readNewest(), this.#readCoverage(), this.hasTrades ? this.#readTrades(undefined) : undefined]);
    await this.#readPredictions();
  }

  async #readNewest(): Promise<void> {
    await this.#readBars(undefined, FIRST_BARS, (page) => {
      const held = this.#view;
      // Whoever looks at the past stays there.
      if (held.later) return held;
      // After a long absence the newest bars need not touch those that are held: begin anew.
      const isApart = held.bars.length > 0 && page.earlier && (page.bars[0]?.time ?? 0) > (held.bars.at(-1)?.time ?? 0) + this.#step;
      return isApart ? { ...page, later: false } : addNewer(held, page, false);
    });
  }

  async #readBars(before: number | undefined, limit: number, take: (page: Page) => Held): Promise<void> {
    type Answer = { rows: Row[]; gaps: Gap[]; earlier: boolean };
    await this.#ask<Answer>(query('/views/klines', { symbol: this.symbol, interval: this.interval, before, limit }), ({ rows, gaps, earlier }) => {
      const bars = rows.map(bar);
      this.#newest = Math.max(this.#newest, bars.at(-1)?.time ?? this.#newest);
      const { later, ...held } = take({ bars, gaps, earlier });
      this.#set({ ...held, later, forming: later ? undefined : this.#view.forming, isRead: true, problem: undefined });
      if (before !== undefined) this.#later('predictions', 0, () => void this.#readPredictions());
    });
  }

  /** Runs unless bars are being read as one scrolls. */
  async #alone(read: () => Promise<void>): Promise<void> {
    if (this.#isReading) return;
    this.#isReading = true;
    await read().finally(() => (this.#isReading = false));
  }

  async #readTrades(before: number | undefined): Promise<void> {
    await this.#ask<{ rows: [number, number, string, string, boolean][]; earlier: boolean }>(
      query('/views/trades', { symbol: this.symbol, before, limit: TRADES }),
      ({ rows, earlier }) => {
        const isOldest = before !== undefined || this.#view.trades.length === 0;
        this.#addTrades(rows.map(([id, time, price, quantity, isSale]) => ({ id, time, price, quantity, isSale })));
        if (isOldest) this.#set({ earlierTrades: earlier });
      },
    );
  }

  async #readPredictions(): Promise<void> {
    const { bars } = this.#view;
    const [first, last] = [bars[0], bars.at(-1)];
    if (!first || !last) return;
    const path = query('/views/predictions', { symbol: this.symbol, interval: this.interval, from: first.time, to: last.time + this.#step });
    await this.#ask<{ predictions: Prediction[] } | Prediction[]>(path, (answer) => {
      const predictions = Array.isArray(answer) ? answer : answer.predictions;
      this.#set({ predictions: predictions.toSorted((a, b) => a.open_time - b.open_time), arePredictionsRead: true });
    });
  }

  async #readCoverage(): Promise<void> {
    await this.#ask<{ series: Completeness[] }>(query('/coverage', { symbol: this.symbol }), ({ series }) =>
      this.#set({ coverage: series }),
    );
  }

  /** The book as the log has it, and the place in the stream from which it goes on. */
  async #readBook(): Promise<string | undefined> {
    type Answer = { book: { last_update_id: number; bids: Level[]; asks: Level[]; at: number; trust: Trust } | null; resume: string };
    let place: string | undefined;
    await this.#ask<Answer>(query('/views/book', { symbol: this.symbol }), ({ book, resume }) => {
      place = resume;
      if (!book) return;
      this.#view.book.reset(book.last_update_id, book.bids, book.asks, book.trust);
      this.#set({ bookVersion: this.#view.bookVersion + 1, bookAt: book.at });
    });
    return place;
  }

  #take({ event, data }: Message): void {
    if (event === 'gone') {
      // What the log no longer has may be in the store; of the book nothing is sure any more.
      this.#view.book.broke();
      return void this.#read();
    }
    if (event !== 'message') return;
    const told = JSON.parse(data) as { timestamp: number; event: { type: string; data: unknown } };
    const { type, data: body } = told.event;
    switch (type) {
      case 'io.streamforge.klines.loaded.v1':
        return this.#takeBars(body as { interval: string; rows: [...Row, ...unknown[]][] });
      case 'io.streamforge.trades.loaded.v1':
        return this.#takeTrades(body as { rows: [number, string, string, number, boolean][] });
      case 'io.streamforge.depth.updated.v1':
        return this.#takeDepth(body as DepthData, told.timestamp);
      case 'io.streamforge.feed.interrupted.v1':
        return this.#takeGap(body as Declared);
      case 'io.streamforge.prediction.made.v1':
        return this.#later('predictions', PREDICTIONS_MILLIS, () => void this.#readPredictions());
    }
  }

  #takeBars({ interval, rows }: { interval: string; rows: [...Row, ...unknown[]][] }): void {
    if (interval !== this.interval) return;
    const fresh = rows.map(([time, open, high, low, close, volume]) => bar([time, open, high, low, close, volume]));
    const last = fresh.at(-1);
    if (!last) return;
    this.#newest = Math.max(this.#newest, last.time);
    const { bars, earlier, later } = this.#view;
    // Batches of a load of long ago, or of now for who looks at the past, are read from the store when one scrolls there.
    const [first, end] = [bars[0]?.time ?? 0, bars.at(-1)?.time ?? 0];
    const within = fresh.filter(({ time }) => (!earlier || time >= first) && (!later || time <= end));
    if (within.length === 0) return;
    const isAhead = bars.length > 0 && (within[0]?.time ?? 0) > end + this.#step;
    const forming = this.#view.forming && this.#view.forming.time > last.time ? this.#view.forming : undefined;
    this.#set({ ...addNewer(this.#view, { bars: within, gaps: this.#view.gaps, earlier }, later), forming });
    // A hole before a live bar, or one that is filled now: the server says what is missing.
    if (isAhead || this.#view.gaps.length > 0) this.#later('gaps', COVERAGE_MILLIS, () => void this.#readNewest());
    this.#later('predictions', PREDICTIONS_MILLIS, () => void this.#readPredictions());
  }

  #takeTrades({ rows }: { rows: [number, string, string, number, boolean][] }): void {
    this.#addTrades(rows.map(([id, price, quantity, time, isSale]) => ({ id, time, price, quantity, isSale })));
  }

  #addTrades(fresh: Trade[]): void {
    const unknown = fresh.filter((trade) => !this.#tradeIds.has(trade.id));
    if (unknown.length === 0) return;
    for (const { id } of unknown) this.#tradeIds.add(id);
    unknown.sort((a, b) => b.id - a.id);
    const held = this.#view.trades;
    const isNewer = (unknown.at(-1)?.id ?? 0) > (held[0]?.id ?? -1);
    const trades = isNewer ? [...unknown, ...held] : [...unknown, ...held].sort((a, b) => b.id - a.id);
    for (const { id } of trades.splice(MOST_TRADES)) this.#tradeIds.delete(id);
    let { forming } = this.#view;
    for (const { time, price, quantity } of this.#view.later ? [] : unknown.toReversed()) {
      forming = fold(this.#view.bars, forming, { time, price: Number(price), quantity: Number(quantity) }, this.#step);
    }
    this.#set({ trades, forming });
  }

  #takeDepth(data: DepthData, at: number): void {
    this.#view.book.apply(data);
    this.#set({ bookVersion: this.#view.bookVersion + 1, bookAt: data.updates.at(-1)?.u === undefined ? this.#view.bookAt : at });
  }

  #takeGap(gap: Declared): void {
    if (gap.stream === 'depth' && gap.state === 'open') {
      this.#view.book.broke();
      this.#set({ bookVersion: this.#view.bookVersion + 1 });
    }
    this.#later('coverage', COVERAGE_MILLIS, () => void this.#readCoverage());
  }

  async #ask<T>(path: string, take: (answer: T) => void): Promise<void> {
    try {
      const answer = await get<T>(path, this.#stopped.signal);
      if (!this.#stopped.signal.aborted) take(answer);
    } catch (error) {
      // What is not there for this symbol is no failure: the page shows that there is none.
      if (error instanceof Problem && (error.status === 404 || error.status === 0)) return this.#set({ isRead: error.status !== 0 || this.#view.isRead });
      const problem = words(error);
      if (problem !== undefined && !this.#stopped.signal.aborted) this.#set({ problem });
    }
  }

  #set(changes: Partial<View>): void {
    const isFirst = changes.isRead === true && !this.#view.isRead;
    this.#view = { ...this.#view, ...changes };
    if (isFirst) this.onChange(this.#view);
    this.#later('draw', DRAW_MILLIS, () => this.onChange(this.#view));
  }

  /** Runs once, so many milliseconds after the first wish. */
  #later(name: string, millis: number, run: () => void): void {
    if (this.#timers.has(name) || this.#stopped.signal.aborted) return;
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        run();
      }, millis),
    );
  }
}
