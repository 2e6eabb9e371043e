/** Everything of one symbol that the page shows: what is stored, and from then on what comes. */
import { get, Problem, query, words } from '../api';
import { follow, type Message } from '../stream';
import { bar, fold, length, merge, mergeGaps, type Bar, type Gap, type Row } from './bars';
import { Book, type DepthData, type Level } from './book';
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

export interface View {
  bars: Bar[];
  gaps: Gap[];
  forming: Bar | undefined;
  /** Whether older bars are there. */
  earlier: boolean;
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
const OLDER_BARS = 2_000;
const TRADES = 500;
const MOST_TRADES = 20_000;
const DRAW_MILLIS = 200;
const PREDICTIONS_MILLIS = 1_000;
const COVERAGE_MILLIS = 3_000;

export class Feed {
  #view: View = {
    bars: [],
    gaps: [],
    forming: undefined,
    earlier: false,
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
    const first = this.#view.bars[0];
    if (this.#isReading || !this.#view.earlier || !first) return;
    this.#isReading = true;
    await this.#readBars(first.time, OLDER_BARS).finally(() => (this.#isReading = false));
  }

  /** Reads older bars until the time is among them. */
  async reach(time: number): Promise<void> {
    while (!this.#stopped.signal.aborted && this.#view.earlier && (this.#view.bars[0]?.time ?? 0) > time - 80 * this.#step) {
      const before = this.#view.bars[0]?.time;
      await this.older();
      if (this.#view.bars[0]?.time === before) return;
    }
  }

  async olderTrades(): Promise<void> {
    const last = this.#view.trades.at(-1);
    if (!last || !this.#view.earlierTrades || this.#view.trades.length >= MOST_TRADES) return;
    await this.#readTrades(last.id);
  }

  async #begin(): Promise<void> {
    const place = await this.#readBook();
    if (this.#stopped.signal.aborted) return;
    this.#unfollow = follow(query('/views/topics/market-data/events', { subject: this.symbol }), {
      ...(place === undefined ? {} : { from: place }),
      onMessage: (message) => this.#take(message),
      // What is stored is read once the stream stands, so that nothing falls between the two.
      onOpen: () => void this.#read(),
      onRefused: (reason) => this.#set({ problem: reason }),
    });
    // A stream that never stands must not keep from view what is stored.
    void this.#read();
  }

  async #read(): Promise<void> {
    await Promise.all([
      this.#readBars(undefined, FIRST_BARS),
      this.#readCoverage(),
      this.hasTrades ? this.#readTrades(undefined) : undefined,
    ]);
    await this.#readPredictions();
  }

  async #readBars(before: number | undefined, limit: number): Promise<void> {
    await this.#ask<{ rows: Row[]; gaps: Gap[]; earlier: boolean }>(
      query('/views/klines', { symbol: this.symbol, interval: this.interval, before, limit }),
      ({ rows, gaps, earlier }) => {
        const fresh = rows.map(bar);
        const held = this.#view;
        const first = fresh[0]?.time ?? Number.POSITIVE_INFINITY;
        const heldFirst = held.bars[0]?.time ?? Number.POSITIVE_INFINITY;
        // After a long absence the newest bars need not touch those that are held: begin anew.
        const isApart = before === undefined && held.bars.length > 0 && earlier && first > (held.bars.at(-1)?.time ?? 0) + this.#step;
        const base = isApart ? { bars: [], gaps: [] } : held;
        this.#set({
          bars: before === undefined ? merge(base.bars, fresh) : merge(fresh, base.bars),
          gaps: before === undefined ? mergeGaps(base.gaps, gaps, first) : mergeGaps(gaps, base.gaps, Number.POSITIVE_INFINITY),
          earlier: before !== undefined || isApart || first <= heldFirst ? earlier : held.earlier,
          isRead: true,
          problem: undefined,
        });
        if (before !== undefined) this.#later('predictions', 0, () => void this.#readPredictions());
      },
    );
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
    type Answer = { last_update_id: number; bids: Level[]; asks: Level[]; at: number; resume: string; is_whole: boolean };
    let place: string | undefined;
    await this.#ask<Answer>(query('/views/book', { symbol: this.symbol }), (answer) => {
      this.#view.book.reset(answer.last_update_id, answer.bids, answer.asks, answer.is_whole ? 'whole' : 'partial');
      this.#set({ bookVersion: this.#view.bookVersion + 1, bookAt: answer.at });
      place = answer.resume;
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
    const { bars, earlier } = this.#view;
    // Batches of a load of long ago are read from the store when one scrolls there.
    const first = bars[0]?.time ?? 0;
    const within = earlier ? fresh.filter((one) => one.time >= first) : fresh;
    if (!last || within.length === 0) return;
    const held = bars.at(-1);
    const isAhead = held !== undefined && (within[0]?.time ?? 0) > held.time + this.#step;
    const forming = this.#view.forming && this.#view.forming.time > last.time ? this.#view.forming : undefined;
    this.#set({ bars: merge(bars, within), forming });
    // A hole before a live bar, or one that is filled now: the server says what is missing.
    if (isAhead || this.#view.gaps.length > 0) this.#later('gaps', COVERAGE_MILLIS, () => void this.#readBars(undefined, FIRST_BARS));
    this.#later('predictions', PREDICTIONS_MILLIS, () => void this.#readPredictions());
  }

  #takeTrades({ rows }: { rows: [number, string, string, number, boolean][] }): void {
    this.#addTrades(rows.map(([id, price, quantity, time, isSale]) => ({ id, time, price, quantity, isSale })));
  }

  #addTrades(fresh: Trade[]): void {
    const unknown = fresh.filter((trade) => !this.#tradeIds.has(trade.id));
    if (unknown.length === 0) return;
    for (const { id } of unknown) this.#tradeIds.add(id);
    const trades = [...unknown, ...this.#view.trades].sort((a, b) => b.id - a.id);
    for (const { id } of trades.splice(MOST_TRADES)) this.#tradeIds.delete(id);
    let { forming } = this.#view;
    for (const { time, price, quantity } of unknown.toSorted((a, b) => a.id - b.id)) {
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
    this.#view = { ...this.#view, ...changes };
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
