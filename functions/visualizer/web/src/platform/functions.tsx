/** Every function and job: replicas and lag of the last quarter of an hour, and how long cold starts took. */
import { useEffect, useState } from 'preact/hooks';
import { get, words } from '../api';
import { clock, count, duration } from '../format';
import { Trouble } from '../shell/parts';
import { useThrottled } from '../shell/data';
import { follow } from '../stream';
import { add, KEPT_MILLIS, path, PHASES, steps, total, type ColdStart, type Func, type Sample } from './sample';

const WIDTH = 360;
const HEIGHT = 34;
const FUNCTIONS_MILLIS = 2_000;
const SHOWN_STARTS = 5;

export function Functions() {
  const { functions, samples, problem } = usePlatform();
  const end = samples.at(-1)?.at ?? 0;
  return (
    <>
      <Trouble problem={problem} />
      {functions.length === 0 && problem === undefined && <p class="quiet">Waiting for the first sample…</p>}
      <ul class="functions" aria-label="Functions">
        {functions.map((one) => (
          <One key={one.name} one={one} samples={samples} end={end} />
        ))}
      </ul>
    </>
  );
}

function One({ one, samples, end }: { one: Func; samples: Sample[]; end: number }) {
  const newest = samples.at(-1)?.functions[one.name];
  const [replicas, lag] = newest ?? [one.replicas, one.lag];
  return (
    <li class="panel function" data-function={one.name} data-replicas={replicas} data-most={most(samples, one.name, 0)}>
      <header class="head">
        <h2>{one.name}</h2>
        <span class="quiet">{one.kind}</span>
        <span class="space" />
        <span>
          {replicas !== null && <strong>{replicas}</strong>}
          {one.max !== null && <span class="quiet"> of {one.max}</span>}
        </span>
      </header>
      {replicas !== null && <Line label={`Replicas of ${one.name}`} title="replicas" samples={samples} name={one.name} which={0} end={end} now={replicas} />}
      <Line label={`Lag of ${one.name}`} title="lag" samples={samples} name={one.name} which={1} end={end} now={lag} />
      {one.cold_starts && <Starts starts={one.cold_starts} />}
    </li>
  );
}

function Line(props: { label: string; title: string; samples: Sample[]; name: string; which: 0 | 1; end: number; now: number }) {
  const { samples, name, which, end } = props;
  const highest = most(samples, name, which);
  const drawn = path(steps(samples, name, which), end - KEPT_MILLIS, end, Math.max(1, highest), WIDTH, HEIGHT);
  return (
    <div class={`line ${props.title}`}>
      <span class="quiet">
        {props.title} {props.title === 'lag' && count(props.now)}
      </span>
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`${props.label}: now ${props.now}, at most ${highest} in 15 minutes`}>
        <path class="area" d={drawn.area} />
        <path class="stroke" d={drawn.line} />
      </svg>
      <span class="quiet number" title="most in 15 minutes">
        {count(highest)}
      </span>
    </div>
  );
}

/** The last cold starts, each as a bar of its phases. */
function Starts({ starts }: { starts: ColdStart[] }) {
  if (starts.length === 0) return <p class="quiet small">No cold start yet.</p>;
  const newest = starts.toSorted((a, b) => b.at - a.at).slice(0, SHOWN_STARTS);
  const longest = Math.max(...newest.map(total), 1);
  const phases = PHASES.map((phase, index) => [...phase, index] as const).filter(([key]) => newest.some((start) => typeof start[key] === 'number'));
  return (
    <table class="starts">
      <caption class="small quiet">
        Cold starts:{' '}
        {phases.map(([key, title, index]) => (
          <span key={key} class={`key phase${index}`}>
            {title}
          </span>
        ))}
      </caption>
      <tbody>
        {newest.map((start) => (
          <tr key={start.at}>
            <td class="quiet">{clock(start.at).slice(0, 8)}</td>
            <td class="phases">
              <span>
                {phases.map(([key, title, index]) => (
                  <span
                    key={key}
                    class={`phase phase${index}`}
                    style={{ width: `${((start[key] ?? 0) / longest) * 100}%` }}
                    title={`${title} ${duration(start[key] ?? 0)}`}
                  />
                ))}
              </span>
            </td>
            <td class="number">{duration(total(start))}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function most(samples: Sample[], name: string, which: 0 | 1): number {
  return samples.reduce((highest, sample) => Math.max(highest, sample.functions[name]?.[which] ?? 0), 0);
}

function usePlatform() {
  const [functions, setFunctions] = useState<Func[]>([]);
  const [samples, setSamples] = useState<Sample[]>([]);
  const [problem, setProblem] = useState<string>();
  const read = () =>
    get<{ functions: Func[]; samples: Sample[] }>('/views/platform').then(
      (answer) => {
        setFunctions(answer.functions);
        // A server that began anew has its own samples only; those of before are still true.
        setSamples((held) => add(held, answer.samples));
        setProblem(undefined);
      },
      (error: unknown) => setProblem(words(error)),
    );
  const readAgain = useThrottled(() => void read(), FUNCTIONS_MILLIS);
  useEffect(() => {
    let before = '';
    return follow('/views/platform/events', {
      onOpen: () => void read(),
      onMessage: ({ event, data }) => {
        if (event !== 'sample') return;
        const sample = JSON.parse(data) as Sample;
        setSamples((held) => add(held, [sample]));
        // Cold starts and what is wanted are read when replicas change.
        const replicas = JSON.stringify(Object.values(sample.functions).map(([value]) => value));
        if (replicas !== before) readAgain();
        before = replicas;
      },
      onRefused: setProblem,
    });
  }, []);
  return { functions, samples, problem };
}
