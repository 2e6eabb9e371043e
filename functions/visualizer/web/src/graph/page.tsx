/** Graph: which symbols move together, how strongly, and how that changed from one stored graph to the next. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { count, instant } from '../format';
import { useData, useThrottled } from '../shell/data';
import { Facts, Trouble } from '../shell/parts';
import { address, go, type Place } from '../shell/router';
import { follow } from '../stream';
import { Drawing } from './drawing';
import type { Edge, Whole } from './layout';
import { Chosen, Lists } from './lists';
import { usePlaced, type Shown } from './placing';

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
/** More lines than these say nothing to the eye: at first only the strongest are drawn. */
const DRAWN_AT_FIRST = 2_000;

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
  const { shown, problem: unplaced } = usePlaced(whole);
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
      <Trouble problem={problem ?? list.problem ?? unplaced} />
      {list.data && graphs.length === 0 && <p class="empty">No graph yet. A workflow with a graph stores one.</p>}
      {shown && <One shown={shown} />}
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

function One({ shown: { whole, placed } }: { shown: Shown }) {
  const [wanted, setWanted] = useState<number>();
  const [chosen, setChosen] = useState<string>();
  const ordered = useMemo(() => whole.edges.toSorted((a, b) => Math.abs(b.correlation) - Math.abs(a.correlation)), [whole]);
  const least = wanted ?? usual(ordered);
  const edges = useMemo(() => {
    const end = ordered.findIndex((edge) => Math.abs(edge.correlation) < least);
    return end < 0 ? ordered : ordered.slice(0, end);
  }, [ordered, least]);
  const found = whole.nodes.findIndex((node) => node.symbol === chosen);
  const number = found < 0 ? undefined : found;
  const choose = (index: number | undefined) => setChosen(index === undefined ? undefined : whole.nodes[index]?.symbol);
  return (
    <>
      <Facts
        facts={[
          ['Range', `${instant(whole.from).slice(0, 16)} – ${instant(whole.to).slice(0, 16)}`],
          ['Bars', whole.interval],
          ['Symbols', count(whole.nodes.length)],
          ['Edges', `${count(edges.length)}${edges.length === whole.edges.length ? '' : ` of ${count(whole.edges.length)}`}`],
          ['Communities', placed.communities.length === 0 && whole.nodes.length > 0 ? '…' : count(new Set(placed.communities).size)],
          [
            'Correlation of at least',
            <label class="slider">
              <span class="hidden">Least correlation</span>
              <input type="range" min={0} max={1} step={0.01} value={least} onInput={(event) => setWanted(Number(event.currentTarget.value))} />
              {least.toFixed(2)}
            </label>,
          ],
        ]}
      />
      <div class="graph-main">
        <Drawing whole={whole} placed={placed} edges={edges} chosen={number} onChoose={choose} />
        <div class="beside-graph">
          {number !== undefined && <Chosen whole={whole} edges={edges} number={number} community={placed.communities[number]} onClose={() => setChosen(undefined)} />}
          <Lists whole={whole} communities={placed.communities} edges={edges} chosen={number} onChoose={choose} />
        </div>
      </div>
    </>
  );
}

/** The least correlation, in steps of the slider, that leaves no more edges than are drawn at first. */
function usual(ordered: readonly Edge[]): number {
  const next = ordered[DRAWN_AT_FIRST];
  return next ? Math.min(1, Math.floor(Math.abs(next.correlation) * 100 + 1) / 100) : 0;
}
