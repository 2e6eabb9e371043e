/** What lies behind the candles: gaps as shaded stretches, predictions as a band. */
import type { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, Time, UTCTimestamp } from 'lightweight-charts';
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { BandPoint } from './prediction';

const LATE_HEIGHT = 4;

export interface Stretch {
  /** Open times of the first and the last bar, in seconds. */
  from: number;
  to: number;
  kind: 'missing' | 'late';
}

export interface Colours {
  missing: string;
  late: string;
  band: string;
}

export class Shading implements ISeriesPrimitive<Time> {
  #at: SeriesAttachedParameter<Time> | undefined;
  #stretches: Stretch[] = [];
  #band: BandPoint[] = [];
  #colours: Colours = { missing: '', late: '', band: '' };
  readonly #view: IPrimitivePaneView = {
    zOrder: () => 'bottom',
    renderer: (): IPrimitivePaneRenderer => ({ draw: (target) => this.#draw(target) }),
  };

  attached(at: SeriesAttachedParameter<Time>): void {
    this.#at = at;
  }

  detached(): void {
    this.#at = undefined;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return [this.#view];
  }

  updateAllViews(): void {}

  show(stretches: Stretch[], band: BandPoint[], colours: Colours): void {
    this.#stretches = stretches;
    this.#band = band;
    this.#colours = colours;
    this.#at?.requestUpdate();
  }

  #draw(target: CanvasRenderingTarget2D): void {
    const at = this.#at;
    if (!at) return;
    const scale = at.chart.timeScale();
    const x = (seconds: number) => scale.timeToCoordinate(seconds as UTCTimestamp);
    target.useMediaCoordinateSpace(({ context, mediaSize }) => {
      const half = scale.options().barSpacing / 2;
      for (const { from, to, kind } of this.#stretches) {
        const [left, right] = [x(from), x(to)];
        if (left === null || right === null) continue;
        context.fillStyle = this.#colours[kind];
        const width = Math.max(3, right - left + 2 * half);
        // What came late is there all the same: a mark at the edge is enough for it.
        if (kind === 'late') context.fillRect(left - half, mediaSize.height - LATE_HEIGHT, width, LATE_HEIGHT);
        else context.fillRect(left - half, 0, width, mediaSize.height);
      }
      context.fillStyle = this.#colours.band;
      for (const run of this.#runs(x)) {
        context.beginPath();
        run.forEach(({ left, high }) => context.lineTo(left, high));
        run.toReversed().forEach(({ left, low }) => context.lineTo(left, low));
        context.closePath();
        context.fill();
      }
    });
  }

  /** Points of the band that follow each other; a hole between predictions is a hole in the band. */
  #runs(x: (seconds: number) => number | null): { left: number; high: number; low: number }[][] {
    const runs: { left: number; high: number; low: number }[][] = [];
    let before = Number.NaN;
    const usual = Math.min(...this.#band.slice(1, 50).map((point, index) => point.time - (this.#band[index]?.time ?? 0)));
    for (const point of this.#band) {
      const left = x(point.time / 1_000);
      const high = this.#at?.series.priceToCoordinate(point.high) ?? null;
      const low = this.#at?.series.priceToCoordinate(point.low) ?? null;
      if (left === null || high === null || low === null) continue;
      const run = runs.at(-1);
      if (run && point.time - before <= 3 * usual) run.push({ left, high, low });
      else runs.push([{ left, high, low }]);
      before = point.time;
    }
    return runs.filter((run) => run.length > 1);
  }
}
