/** Replicas and lag of the functions over time, as the server samples them: each second, on a cluster every five. */

/** One sample: replicas, where they are counted, and lag of each function by name. */
export interface Sample {
  at: number;
  functions: Record<string, [number | null, number]>;
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
  /** On a cluster the runs of jobs are not counted. */
  replicas: number | null;
  wanted: number | null;
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

/** Where as many samples are missing, such as while the server was away, the chart has a hole. */
const HOLE_SAMPLES = 5;

export interface Step {
  at: number;
  value: number | undefined;
}

/** One function's replicas (0) or lag (1), with a hole where nothing was sampled. */
export function steps(samples: Sample[], name: string, which: 0 | 1): Step[] {
  const all: Step[] = [];
  const hole = HOLE_SAMPLES * period(samples);
  let before = Number.NaN;
  for (const { at, functions } of samples) {
    if (at - before > hole) all.push({ at: before + 1_000, value: undefined });
    all.push({ at, value: functions[name]?.[which] ?? undefined });
    before = at;
  }
  return all;
}

/** How far samples are apart as a rule: a second on a laptop, more on a cluster. */
function period(samples: Sample[]): number {
  const apart = samples.slice(1).map(({ at }, index) => at - (samples[index]?.at ?? at)).sort((a, b) => a - b);
  return Math.max(1_000, apart[(apart.length - 1) >> 1] ?? 0);
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
    const isChange = before?.value !== value || line[index + 1]?.value === undefined;
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
