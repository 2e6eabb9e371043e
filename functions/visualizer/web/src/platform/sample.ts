/** Replicas and lag of the functions over time, as the server samples them: each second, on a cluster every five. */

/** One sample: replicas and lag of each function by name. */
export interface Sample {
  at: number;
  functions: Record<string, [number, number]>;
}

export interface ColdStart {
  at: number;
  /** From the first event that waits to the wish for a worker, from there until one listens, and until it answered. */
  scale_ms: number | null;
  ready_ms: number;
  first_event_ms: number | null;
}

export interface Func {
  name: string;
  kind: 'function' | 'job';
  replicas: number;
  wanted: number;
  lag: number;
  /** Not known on a cluster, where cold starts are not seen either. */
  max: number | null;
  cold_starts: ColdStart[] | null;
}

/** How long samples are shown: as long as the server keeps them. */
export const KEPT_MILLIS = 15 * 60_000;

/** Adds samples, older ones as well, each once, and lets go of those that are too old. */
export function add(held: Sample[], fresh: Sample[]): Sample[] {
  const known = new Set(held.map(({ at }) => at));
  const all = [...held, ...fresh.filter(({ at }) => !known.has(at))].sort((a, b) => a.at - b.at);
  const end = all.at(-1)?.at ?? 0;
  const first = all.findIndex((sample) => sample.at > end - KEPT_MILLIS);
  return first > 0 ? all.slice(first) : all;
}

/** Seconds for which nothing was sampled, such as while the server was away: the chart has a hole there. */
export const HOLE_MILLIS = 7_500;

export interface Step {
  at: number;
  value: number | undefined;
}

/** One function's replicas (0) or lag (1), with a hole where nothing was sampled. */
export function steps(samples: Sample[], name: string, which: 0 | 1): Step[] {
  const all: Step[] = [];
  let before = Number.NaN;
  for (const { at, functions } of samples) {
    if (at - before > HOLE_MILLIS) all.push({ at: before + 1_000, value: undefined });
    all.push({ at, value: functions[name]?.[which] });
    before = at;
  }
  return all;
}

/** A stepped line as an SVG path; a second one closes the area below it. */
export function path(line: Step[], from: number, to: number, top: number, width: number, height: number): { line: string; area: string } {
  const x = (at: number) => (((at - from) / (to - from)) * width).toFixed(1);
  const y = (value: number) => (height - 1 - (Math.min(value, top) / top) * (height - 3)).toFixed(1);
  let stroke = '';
  let area = '';
  let open: number | undefined;
  line.forEach(({ at, value }, index) => {
    const before = line[index - 1];
    if (value === undefined) {
      if (open !== undefined && before) area += `V${height}H${x(open)}Z`;
      open = undefined;
      return;
    }
    if (open === undefined) {
      open = at;
      stroke += `M${x(at)} ${y(value)}`;
      area += `M${x(at)} ${height}V${y(value)}`;
      return;
    }
    // A point where nothing changes says nothing.
    const isChange = before?.value !== value || index === line.length - 1;
    if (isChange) {
      stroke += `H${x(at)}V${y(value)}`;
      area += `H${x(at)}V${y(value)}`;
    }
  });
  if (open !== undefined) area += `V${height}H${x(open)}Z`;
  return { line: stroke, area };
}

export const PHASES = [
  ['scale_ms', 'scale'],
  ['ready_ms', 'start'],
  ['first_event_ms', 'first event'],
] as const;

export function total(start: ColdStart): number {
  return PHASES.reduce((sum, [key]) => sum + (start[key] ?? 0), 0);
}
