/** Candles with volume, gaps, and predictions; history is asked for as one scrolls back to it. */
import {
  CandlestickSeries,
  createChart,
  HistogramSeries,
  LineSeries,
  type IChartApi,
  type ISeriesApi,
  type LogicalRange,
  type UTCTimestamp,
} from 'lightweight-charts';
import { useEffect, useRef } from 'preact/hooks';
import { frame } from '../shell/chart';
import { colour, useTheme } from '../shell/theme';
import { holes, type Bar, type Gap } from './bars';
import { band, type Prediction } from './prediction';
import { Shading, type Stretch } from './shading';

/** Bars beside the sight before which more of that side are asked for. */
const AHEAD = 80;
const FIRST_SIGHT = 160;
const MOST_AHEAD = 200;

export interface CandlesProps {
  label: string;
  bars: Bar[];
  forming: Bar | undefined;
  gaps: Gap[];
  late: Gap[];
  predictions: Prediction[];
  step: number;
  /** A time to bring into sight; without one, the newest bar. */
  focus: { time: number | undefined } | undefined;
  onEarlier(): void;
  onLater(): void;
}

interface Drawn {
  chart: IChartApi;
  candles: ISeriesApi<'Candlestick'>;
  volume: ISeriesApi<'Histogram'>;
  predicted: ISeriesApi<'Line'>;
  realised: ISeriesApi<'Line'>;
  shading: Shading;
}

export function Candles(props: CandlesProps) {
  const place = useRef<HTMLDivElement>(null);
  const drawn = useRef<Drawn | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  const theme = useTheme();
  useEffect(() => {
    if (!place.current) return;
    drawn.current = draw(place.current);
    const { chart, candles } = drawn.current;
    const look = (range: LogicalRange | null) => {
      const beside = range && candles.barsInLogicalRange(range);
      if (beside && beside.barsBefore < AHEAD) latest.current.onEarlier();
      if (beside && beside.barsAfter < AHEAD) latest.current.onLater();
    };
    chart.timeScale().subscribeVisibleLogicalRangeChange(look);
    return () => {
      drawn.current = undefined;
      chart.remove();
    };
  }, []);
  useEffect(() => {
    if (drawn.current) paint(drawn.current);
  }, [theme]);
  useEffect(() => {
    if (drawn.current) setBars(drawn.current, props);
  }, [props.bars, props.gaps, props.step, props.predictions, theme]);
  useEffect(() => {
    if (drawn.current && props.forming) addForming(drawn.current, props.forming);
  }, [props.forming, props.bars]);
  useEffect(() => {
    if (drawn.current) setPredictions(drawn.current, props);
  }, [props.predictions, props.bars, props.gaps, props.late, theme]);
  useEffect(() => {
    if (!drawn.current || !props.focus) return;
    const { time } = props.focus;
    const all = points(props);
    const index = time === undefined ? all.length - 1 : all.findIndex((point) => point.time >= time);
    if (index >= 0) drawn.current.chart.timeScale().setVisibleLogicalRange({ from: index - 60, to: index + 60 });
  }, [props.focus, props.bars.length === 0]);
  return <div class="candles" role="img" aria-label={props.label} ref={place} />;
}

function draw(place: HTMLElement): Drawn {
  const chart = createChart(place, { ...frame(), autoSize: true, timeScale: { timeVisible: true, secondsVisible: false, rightOffset: 4, minBarSpacing: 0.4 } });
  const candles = chart.addSeries(CandlestickSeries, { borderVisible: false });
  candles.priceScale().applyOptions({ scaleMargins: { top: 0.06, bottom: 0.2 } });
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: 'volume', priceFormat: { type: 'volume' }, lastValueVisible: false, priceLineVisible: false });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.84, bottom: 0 } });
  const shading = new Shading();
  candles.attachPrimitive(shading);
  const format = { type: 'custom' as const, minMove: 1e-6, formatter: (value: number) => `${(value * 100).toFixed(3)} %` };
  const line = { lineWidth: 1 as const, priceLineVisible: false, lastValueVisible: false, priceFormat: format };
  const realised = chart.addSeries(LineSeries, line, 1);
  const predicted = chart.addSeries(LineSeries, { ...line, lineWidth: 2 }, 1);
  predicted.priceScale().applyOptions({ scaleMargins: { top: 0.22, bottom: 0.1 } });
  chart.panes()[0]?.setStretchFactor(4);
  chart.panes()[1]?.setStretchFactor(1);
  const all = { chart, candles, volume, predicted, realised, shading };
  paint(all);
  return all;
}

function paint({ chart, candles, predicted, realised }: Drawn): void {
  const [up, down] = [colour('up'), colour('down')];
  chart.applyOptions(frame());
  candles.applyOptions({ upColor: up, downColor: down, wickUpColor: up, wickDownColor: down });
  predicted.applyOptions({ color: colour('accent') });
  realised.applyOptions({ color: colour('quiet') });
}

interface Point {
  time: number;
  bar?: Bar;
}

/** Bars and, where there are none, the places where they should be. */
function points({ bars, gaps, step }: CandlesProps): Point[] {
  const all: Point[] = bars.map((bar) => ({ time: bar.time, bar }));
  const first = bars[0]?.time ?? 0;
  const last = bars.at(-1)?.time ?? 0;
  const known = new Set(bars.map((bar) => bar.time));
  for (const gap of gaps) {
    if (gap.to < first || gap.from > last) continue;
    for (const time of holes(gap, step)) if (!known.has(time)) all.push({ time });
  }
  return all.sort((a, b) => a.time - b.time);
}

function setBars({ chart, candles, volume }: Drawn, props: CandlesProps): void {
  const scale = chart.timeScale();
  const before = scale.getVisibleRange();
  const isFollowing = scale.scrollPosition() >= -1;
  const all = points(props);
  const [up, down] = [colour('up-soft'), colour('down-soft')];
  candles.setData(all.map(({ time, bar }) => (bar ? { ...bar, time: seconds(time) } : { time: seconds(time) })));
  volume.setData(
    all.map(({ time, bar }) => (bar ? { time: seconds(time), value: bar.volume, color: bar.close >= bar.open ? up : down } : { time: seconds(time) })),
  );
  const close = props.bars.at(-1)?.close ?? 1;
  const precision = Math.max(2, 5 - Math.ceil(Math.log10(close)));
  candles.applyOptions({ priceFormat: { type: 'price', precision, minMove: 10 ** -precision } });
  if (props.bars.length === 0) return;
  if (before === null) scale.setVisibleLogicalRange({ from: all.length - FIRST_SIGHT, to: all.length + 4 });
  else if (!isFollowing) scale.setVisibleRange(before);
}

function addForming({ candles, volume }: Drawn, forming: Bar): void {
  const last = candles.data().at(-1);
  if (last && (last.time as number) > forming.time / 1_000) return;
  const time = seconds(forming.time);
  candles.update({ ...forming, time });
  volume.update({ time, value: forming.volume, color: colour(forming.close >= forming.open ? 'up-soft' : 'down-soft') });
}

function setPredictions({ predicted, realised, shading }: Drawn, props: CandlesProps): void {
  const { predictions, bars, step, gaps, late } = props;
  const stretch = (gap: Gap, kind: Stretch['kind']): Stretch => {
    const times = holes(gap, step);
    return { from: (times[0] ?? gap.from) / 1_000, to: (times.at(-1) ?? gap.to) / 1_000, kind };
  };
  const stretches = [...late.map((gap) => stretch(gap, 'late')), ...gaps.map((gap) => stretch(gap, 'missing'))];
  shading.show(stretches, band(predictions, bars, step), { missing: colour('ask'), late: colour('warn'), band: colour('band') });
  const known = new Map(predictions.map((prediction) => [prediction.open_time, prediction]));
  const times = [...known.values()].sort((a, b) => a.open_time - b.open_time);
  // The band reaches beyond the last bar: the time scale needs places there, which this series alone gives.
  const last = bars.at(-1)?.time ?? 0;
  const ahead = Math.min(MOST_AHEAD, times.at(-1)?.horizon ?? 0);
  const after = Array.from({ length: bars.length === 0 ? 0 : ahead }, (_, index) => ({ time: seconds(last + (index + 1) * step) }));
  const said = times.filter(({ open_time: time }) => time <= last);
  predicted.setData([...said.map(({ open_time: time, volatility }) => ({ time: seconds(time), value: volatility })), ...after]);
  realised.setData(
    times.flatMap(({ open_time: time, realised_volatility: value }) => (typeof value === 'number' ? [{ time: seconds(time), value }] : [])),
  );
}

function seconds(millis: number): UTCTimestamp {
  return (millis / 1_000) as UTCTimestamp;
}
