/** Graph: which symbols move together, how strongly, and how that changed from one stored graph to the next. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { count, digits, instant, percent } from '../format';
import { useData, useThrottled } from '../shell/data';
import { Facts, Trouble } from '../shell/parts';
import { address, go, type Place } from '../shell/router';
import { follow } from '../stream';
import { Drawing } from './drawing';
import { place as lay, type Placed, type Point, type Whole } from './layout';

interface Listed {
  id: string;
  version: number | string;
  interval: string;
  from: number;
  to: number;
  nodes: number;
  edges: number;
}

const STEP_MILLIS = 150;
const LIST_MILLIS = 2_000;

export function GraphPage({ place }: { place: Place }) {
  const list = useData<{ graphs: Listed[] }>('/views/graphs');
  const relist = useThrottled(list.reload, LIST_MILLIS);
  useEffect(() => follow('/views/topics/queue-events/events', { onMessage: ({ data }) => data.includes('graph') && relist() }), [relist]);
  const graphs = list.data?.graphs ?? [];
  const wanted = place.path[1];
  const listed = wanted === undefined ? graphs[0] : graphs.find((one) => one.id === wanted);
  const id = wanted ?? listed?.id;
  // A graph of the same name may be stored anew: its version is part of what is asked for.
  const { data: whole, problem } = useData<Whole>(id === undefined ? undefined : `/views/graphs/${encodeURIComponent(id)}${listed ? `#${listed.version}` : ''}`);
  const shown = useLast(whole);
  return (
    <section class="page">
      <header class="head">
        <h1>Graph</h1>
        <label>
          <span class="hidden">Graph</span>
          <select class="mono" value={id} onChange={(event) => go(address(['graph', event.currentTarget.value]), true)}>
            {id !== undefined && !listed && <option>{id}</option>}
            {graphs.map((one) => (
              <option key={one.id} value={one.id}>
                {one.id}
              </option>
            ))}
          </select>
        </label>
        <Slider graphs={graphs} id={id} />
      </header>
      <Trouble problem={problem ?? list.problem} />
      {list.data && graphs.length === 0 && <p class="empty">No graph yet. A workflow with a graph stores one.</p>}
      {shown && <One key={shown.nodes.map((node) => node.symbol).join()} whole={shown} />}
    </section>
  );
}

/** The stored graphs by the end of their range, from the oldest to the newest. */
function Slider({ graphs, id }: { graphs: Listed[]; id: string | undefined }) {
  const ordered = useMemo(() => graphs.toReversed(), [graphs]);
  const index = Math.max(0, ordered.findIndex((one) => one.id === id));
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const [moving, setMoving] = useState<number>();
  useEffect(() => () => clearTimeout(timer.current), []);
  if (ordered.length < 2) return null;
  const at = ordered[moving ?? index];
  const move = (to: number) => {
    setMoving(to);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => {
      setMoving(undefined);
      const next = ordered[to];
      if (next) go(address(['graph', next.id]), true);
    }, STEP_MILLIS);
  };
  return (
    <label class="slider">
      <span class="hidden">Time</span>
      <input
        type="range"
        min={0}
        max={ordered.length - 1}
        value={moving ?? index}
        aria-valuetext={at && `until ${instant(at.to)}`}
        onInput={(event) => move(Number(event.currentTarget.value))}
      />
      <span class="quiet">{at && `until ${instant(at.to).slice(0, 16)}`}</span>
    </label>
  );
}

function One({ whole }: { whole: Whole }) {
  const [least, setLeast] = useState(0);
  const [chosen, setChosen] = useState<string>();
  const before = useRef<ReadonlyMap<string, Point>>(new Map());
  const placed: Placed = useMemo(() => lay(whole, before.current), [whole]);
  before.current = useMemo(() => new Map(whole.nodes.map((node, index) => [node.symbol, placed.points[index] ?? { x: 0.5, y: 0.5 }])), [placed]);
  const edges = whole.edges.filter((edge) => Math.abs(edge.correlation) >= least);
  const number = whole.nodes.findIndex((node) => node.symbol === chosen);
  const groups = Math.max(0, ...placed.communities) + 1;
  return (
    <>
      <Facts
        facts={[
          ['Range', `${instant(whole.from).slice(0, 16)} – ${instant(whole.to).slice(0, 16)}`],
          ['Bars', whole.interval],
          ['Symbols', count(whole.nodes.length)],
          ['Edges', `${count(edges.length)}${edges.length === whole.edges.length ? '' : ` of ${count(whole.edges.length)}`}`],
          ['Communities', count(groups)],
          [
            'Correlation of at least',
            <label class="slider">
              <span class="hidden">Least correlation</span>
              <input type="range" min={0} max={1} step={0.01} value={least} onInput={(event) => setLeast(Number(event.currentTarget.value))} />
              {least.toFixed(2)}
            </label>,
          ],
        ]}
      />
      <div class="graph-main">
        <Drawing whole={whole} edges={edges} placed={placed} chosen={number < 0 ? undefined : number} onChoose={(index) => setChosen(index === undefined ? undefined : whole.nodes[index]?.symbol)} />
        {number < 0 ? <Strongest whole={whole} edges={edges} /> : <Symbol whole={whole} number={number} community={placed.communities[number] ?? 0} />}
      </div>
    </>
  );
}

const LISTED = 24;

function Strongest({ whole, edges }: { whole: Whole; edges: Whole['edges'] }) {
  const name = (index: number) => whole.nodes[index]?.symbol ?? '';
  const strongest = edges.toSorted((a, b) => Math.abs(b.correlation) - Math.abs(a.correlation)).slice(0, LISTED);
  return (
    <aside class="panel" aria-label="Strongest edges">
      <h2>Strongest</h2>
      <table>
        <thead>
          <tr>
            <th>Pair</th>
            <th class="number">Correlation</th>
            <th class="number">Bars</th>
          </tr>
        </thead>
        <tbody>
          {strongest.map((edge) => (
            <tr key={`${edge.from} ${edge.to}`}>
              <td>
                {name(edge.from)} – {name(edge.to)}
              </td>
              <td class="number">{edge.correlation.toFixed(3)}</td>
              <td class="number quiet">{count(edge.observations)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </aside>
  );
}

function Symbol({ whole, number, community }: { whole: Whole; number: number; community: number }) {
  const node = whole.nodes[number];
  if (!node) return null;
  const neighbours = whole.edges
    .flatMap((edge) => (edge.from === number ? [{ to: edge.to, edge }] : edge.to === number ? [{ to: edge.from, edge }] : []))
    .sort((a, b) => Math.abs(b.edge.correlation) - Math.abs(a.edge.correlation));
  return (
    <aside class="panel" aria-label={node.symbol}>
      <header class="head">
        <h2>{node.symbol}</h2>
        <span class={`dot c${community % 8}`}>community {community + 1}</span>
        <span class="space" />
        <a href={address(['market', node.symbol], { interval: whole.interval })}>Market</a>
      </header>
      <Facts
        facts={[
          ['Volatility', percent(node.volatility, 3)],
          ['Mean return', `${digits(node.mean_return * 100, 3)} %`],
          ['Bars', count(node.observations)],
        ]}
      />
      <table>
        <thead>
          <tr>
            <th>Neighbour</th>
            <th class="number">Correlation</th>
          </tr>
        </thead>
        <tbody>
          {neighbours.map(({ to, edge }) => (
            <tr key={to}>
              <td>{whole.nodes[to]?.symbol}</td>
              <td class="number">{edge.correlation.toFixed(3)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </aside>
  );
}

/** The last value that was there, while the next one is on its way. */
function useLast<T>(value: T | undefined): T | undefined {
  const last = useRef(value);
  if (value !== undefined) last.current = value;
  return last.current;
}
