/** Market: which symbols are stored, or one of them with all that is known of it. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { decimal, digits, instant } from '../format';
import { useData } from '../shell/data';
import { Status, Tabs, Trouble } from '../shell/parts';
import { address, go, setQuery, type Place } from '../shell/router';
import { Cell, Rows } from '../shell/rows';
import { length, type Gap } from './bars';
import { Candles } from './candles';
import { Feed, type View } from './feed';
import { Gaps, holesOf, type Hole } from './gaps';
import { Ladder } from './ladder';
import { Predictions } from './predictions';
import { Tape } from './tape';

interface Stored {
  symbol: string;
  intervals: string[];
  has_trades: boolean;
}

export function MarketPage({ place }: { place: Place }) {
  const { data, problem } = useData<{ symbols: Stored[] }>('/views/symbols');
  const name = place.path[1];
  if (!data) return <div class="page">{problem === undefined ? <p class="quiet">Loading…</p> : <Trouble problem={problem} />}</div>;
  if (name === undefined) return <Symbols symbols={data.symbols} />;
  const stored = data.symbols.find((one) => one.symbol === name);
  if (!stored) {
    return (
      <div class="page">
        <h1>{name}</h1>
        <Trouble problem="Nothing is stored of this symbol." />
        <a href="/market">All symbols</a>
      </div>
    );
  }
  const wanted = place.query.get('interval') ?? '';
  const interval = stored.intervals.includes(wanted) ? wanted : (stored.intervals[0] ?? '1m');
  return <One key={`${name} ${interval}`} stored={stored} interval={interval} all={data.symbols} tab={place.query.get('tab') ?? 'predictions'} />;
}

function Symbols({ symbols }: { symbols: Stored[] }) {
  const [wanted, setWanted] = useState('');
  const shown = symbols.filter(({ symbol }) => symbol.includes(wanted.trim().toUpperCase()));
  return (
    <section class="page fill">
      <header class="head">
        <h1>Market</h1>
        <input type="search" aria-label="Find a symbol" placeholder="Find a symbol" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
        <span class="quiet">{symbols.length} symbols</span>
      </header>
      <Rows
        label="Symbols"
        layout="symbols"
        columns={['Symbol', 'Candles', 'Trades']}
        count={shown.length}
        height={30}
        keyOf={(index) => shown[index]?.symbol ?? ''}
        row={(index) => {
          const one = shown[index];
          return (
            one && (
              <>
                <Cell class="clip">
                  <a href={address(['market', one.symbol])}>{one.symbol}</a>
                </Cell>
                <Cell class="clip">
                  {one.intervals.map((interval) => (
                    <a class="chip" key={interval} href={address(['market', one.symbol], { interval })}>
                      {interval}
                    </a>
                  ))}
                </Cell>
                <Cell>{one.has_trades ? 'stored' : <span class="quiet">none</span>}</Cell>
              </>
            )
          );
        }}
        empty={symbols.length === 0 ? 'Nothing is stored yet. A workflow that loads candles brings it.' : 'No symbol has that in its name.'}
      />
    </section>
  );
}

function One(props: { stored: Stored; interval: string; all: Stored[]; tab: string }) {
  const { stored, interval } = props;
  const [view, setView] = useState<View>();
  const [focus, setFocus] = useState<{ time: number | undefined }>();
  const [model, setModel] = useState<string>();
  const feed = useRef<Feed | undefined>(undefined);
  useEffect(() => {
    const own = new Feed(stored.symbol, interval, stored.has_trades, setView);
    feed.current = own;
    return () => own.stop();
  }, [stored.symbol, interval]);
  const models = useMemo(() => namesOf(view), [view?.predictions]);
  const chosen = model ?? models.at(-1);
  const predictions = useMemo(
    () => (view?.predictions ?? []).filter((prediction) => nameOf(prediction) === chosen),
    [view?.predictions, chosen],
  );
  const late = useMemo(() => lateOf(view, interval), [view?.coverage]);
  const reach = (time: number | undefined) => void feed.current?.reach(time).then(() => setFocus({ time }));
  const show = (hole: Hole) => {
    const of = hole.stream.replace('klines_', '');
    if (of !== interval && stored.intervals.includes(of)) return setQuery({ interval: of, at: String(hole.from) });
    reach(hole.from);
  };
  useEffect(() => {
    const at = Number(new URLSearchParams(location.search).get('at'));
    if (at > 0 && view?.isRead) show({ stream: `klines_${interval}`, from: at } as Hole);
  }, [view?.isRead]);
  if (!view) return <p class="quiet pad">Loading…</p>;
  const label = `${stored.symbol}, candles of ${interval}, ${view.bars.length} bars, ${view.gaps.length} gaps`;
  return (
    <section class="page market">
      <Head stored={stored} interval={interval} all={props.all} view={view} />
      <Trouble problem={view.problem} />
      <div class="market-main" data-bars={view.bars.length} data-gaps={view.gaps.length} data-last={view.bars.at(-1)?.time}>
        <div class="market-left">
          <div class="panel chart-panel">
            <Candles
              label={label}
              bars={view.bars}
              forming={view.forming}
              gaps={view.gaps}
              late={late}
              predictions={predictions}
              step={length(interval)}
              focus={focus}
              onEarlier={() => void feed.current?.older()}
              onLater={() => void feed.current?.newer()}
            />
            <Legend models={models} chosen={chosen} onChoose={setModel} hasGaps={view.gaps.length > 0} hasLate={late.length > 0} onNewest={view.later ? () => reach(undefined) : undefined} />
          </div>
          <Tabs
            label="What to show"
            chosen={props.tab}
            tabs={[
              ['predictions', `Predictions ${predictions.length || ''}`],
              ['gaps', `Gaps ${holesOf(view.coverage).filter((hole) => hole.state !== 'filled').length || ''}`],
              ['quality', 'Quality'],
            ]}
          />
          {props.tab === 'predictions' && <Predictions predictions={predictions} isRead={view.arePredictionsRead || (view.isRead && view.bars.length === 0)} />}
          {props.tab === 'gaps' && <Gaps coverage={view.coverage} onShow={show} />}
          {props.tab === 'quality' && <Quality view={view} />}
        </div>
        <Ladder book={view.book} at={view.bookAt} />
        <Tape trades={view.trades} onEnd={() => void feed.current?.olderTrades()} />
      </div>
    </section>
  );
}

function Head({ stored, interval, all, view }: { stored: Stored; interval: string; all: Stored[]; view: View }) {
  const trade = view.trades[0];
  const last = view.bars.at(-1);
  // Of a stretch of the past no bar is the newest.
  const price = trade ? Number(trade.price) : view.later ? undefined : last?.close;
  const dayAgo = last && !view.later && view.bars.find((bar) => bar.time >= last.time - 86_400e3);
  const change = price !== undefined && dayAgo ? price / dayAgo.open - 1 : undefined;
  const health = view.coverage.find((series) => series.stream === `klines_${interval}`)?.health;
  return (
    <header class="head">
      <h1 class="hidden">{stored.symbol}</h1>
      <select class="symbol" aria-label="Symbol" value={stored.symbol} onChange={(event) => go(address(['market', event.currentTarget.value]))}>
        {all.map(({ symbol }) => (
          <option key={symbol}>{symbol}</option>
        ))}
      </select>
      <strong class="price-now" data-testid="price">
        {trade ? decimal(trade.price) : price !== undefined ? digits(price, 8) : ''}
      </strong>
      {change !== undefined && (
        <span class={change < 0 ? 'down' : 'up'} title="since a day before the last bar">
          {change < 0 ? '−' : '+'}
          {Math.abs(change * 100).toFixed(2)} %
        </span>
      )}
      <div class="tabs" role="group" aria-label="Interval">
        {stored.intervals.map((name) => (
          <button type="button" key={name} aria-pressed={name === interval} onClick={() => setQuery({ interval: name, at: undefined })}>
            {name}
          </button>
        ))}
      </div>
      <span class="space" />
      {last && !view.later && <span class="quiet">last bar {instant(last.time)}</span>}
      {health && <Status name={health.grade} />}
    </header>
  );
}

function Legend(props: { models: string[]; chosen: string | undefined; onChoose(name: string): void; hasGaps: boolean; hasLate: boolean; onNewest: (() => void) | undefined }) {
  return (
    <footer class="legend">
      {props.models.length > 0 && (
        <>
          <span class="key band">band of prediction</span>
          <span class="key predicted">predicted volatility</span>
          <span class="key realised">what came</span>
          <label>
            <span class="hidden">Model</span>
            <select value={props.chosen} onChange={(event) => props.onChoose(event.currentTarget.value)}>
              {props.models.map((name) => (
                <option key={name}>{name}</option>
              ))}
            </select>
          </label>
        </>
      )}
      {props.hasGaps && <span class="key missing">missing</span>}
      {props.hasLate && <span class="key late">came late</span>}
      <span class="space" />
      {props.onNewest && (
        <button type="button" class="link" onClick={props.onNewest}>
          To the newest bar
        </button>
      )}
      <a class="quiet" href="https://www.tradingview.com/" target="_blank" rel="noreferrer">
        Charts by TradingView Lightweight Charts™
      </a>
    </footer>
  );
}

function Quality({ view }: { view: View }) {
  return (
    <div class="panel scroll" tabIndex={0} role="region" aria-label="Quality of the series">
      <table>
        <thead>
          <tr>
            <th>Series</th>
            <th>Grade</th>
            <th class="number">There</th>
            <th class="number">Due</th>
            <th class="number">Came late</th>
            <th class="number">Open gaps</th>
          </tr>
        </thead>
        <tbody>
          {view.coverage.map(({ stream, health }) => (
            <tr key={stream}>
              <td>{stream}</td>
              <td>
                <Status name={health.grade} />
              </td>
              <td class="number">{health.present}</td>
              <td class="number">{health.needed}</td>
              <td class="number">{health.filled}</td>
              <td class="number">{health.open_gaps}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function nameOf({ model, version }: { model: string; version: string }): string {
  return `${model} ${version}`;
}

function namesOf(view: View | undefined): string[] {
  return [...new Set((view?.predictions ?? []).map(nameOf))].sort();
}

/** Bars that did not come live and were asked for. */
function lateOf(view: View | undefined, interval: string): Gap[] {
  const series = view?.coverage.find((one) => one.stream === `klines_${interval}`);
  return (series?.declared ?? [])
    .filter((gap) => gap.state === 'filled')
    .map(({ from, to }) => ({ from, to, missing: Math.round((to - from) / length(interval)) + 1 }));
}
