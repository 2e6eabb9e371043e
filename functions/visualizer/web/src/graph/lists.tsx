/** All symbols and edges of a graph as lists: what the picture shows, by name and number. */
import { useMemo, useState } from 'preact/hooks';
import { count, digits, percent } from '../format';
import { Facts } from '../shell/parts';
import { address } from '../shell/router';
import { Cell, Rows } from '../shell/rows';
import type { Edge, Whole } from './layout';

const HEIGHT = 26;

export interface ListsProps {
  whole: Whole;
  communities: number[];
  /** The strongest first. */
  edges: Edge[];
  chosen: number | undefined;
  onChoose(index: number | undefined): void;
}

export function Lists(props: ListsProps) {
  const { whole, edges } = props;
  const [shown, setShown] = useState<'symbols' | 'edges'>('symbols');
  const [wanted, setWanted] = useState('');
  const term = wanted.trim().toUpperCase();
  const name = (index: number) => whole.nodes[index]?.symbol ?? '';
  const indices = useMemo(
    () => [...whole.nodes.keys()].filter((index) => name(index).includes(term)).sort((a, b) => (name(a) < name(b) ? -1 : 1)),
    [whole, term],
  );
  const found = useMemo(() => (term === '' ? edges : edges.filter(({ from, to }) => name(from).includes(term) || name(to).includes(term))), [edges, term]);
  const tab = (key: typeof shown, title: string) => (
    <button type="button" aria-pressed={key === shown} onClick={() => setShown(key)}>
      {title}
    </button>
  );
  return (
    <section class="panel lists" aria-label="Symbols and edges">
      <header class="head">
        <div class="tabs" role="group" aria-label="What to list">
          {tab('symbols', `Symbols ${count(indices.length)}`)}
          {tab('edges', `Edges ${count(found.length)}`)}
        </div>
        <input type="search" aria-label="Find a symbol" placeholder="Find" value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />
      </header>
      {shown === 'symbols' ? <Symbols {...props} indices={indices} /> : <Edges whole={whole} edges={found} />}
    </section>
  );
}

function Symbols({ whole, communities, edges, chosen, onChoose, indices }: ListsProps & { indices: number[] }) {
  const degrees = useMemo(() => {
    const degrees = new Uint32Array(whole.nodes.length);
    for (const { from, to } of edges) for (const end of [from, to]) degrees[end] = (degrees[end] ?? 0) + 1;
    return degrees;
  }, [whole, edges]);
  return (
    <Rows
      label="Symbols"
      layout="nodes"
      columns={['Symbol', 'Community', 'Volatility', 'Edges']}
      count={indices.length}
      height={HEIGHT}
      keyOf={(row) => whole.nodes[indices[row] ?? -1]?.symbol ?? ''}
      rowClass={(row) => (indices[row] === chosen ? 'chosen' : '')}
      row={(row) => {
        const index = indices[row] ?? -1;
        const node = whole.nodes[index];
        return (
          node && (
            <>
              <Cell class="clip">
                <button type="button" class="link" aria-pressed={index === chosen} onClick={() => onChoose(index === chosen ? undefined : index)}>
                  {node.symbol}
                </button>
              </Cell>
              <Cell>
                <Community number={communities[index]} />
              </Cell>
              <Cell class="number">{percent(node.volatility, 3)}</Cell>
              <Cell class="number quiet">{count(degrees[index] ?? 0)}</Cell>
            </>
          )
        );
      }}
      empty="No symbol has that in its name."
    />
  );
}

function Edges({ whole, edges }: { whole: Whole; edges: Edge[] }) {
  const name = (index: number) => whole.nodes[index]?.symbol ?? '';
  return (
    <Rows
      label="Edges"
      layout="pairs"
      columns={['Pair', 'Correlation', 'Bars']}
      count={edges.length}
      height={HEIGHT}
      keyOf={(row) => `${edges[row]?.from} ${edges[row]?.to}`}
      row={(row) => {
        const edge = edges[row];
        return (
          edge && (
            <>
              <Cell class="clip">
                {name(edge.from)} – {name(edge.to)}
              </Cell>
              <Cell class="number">{edge.correlation.toFixed(3)}</Cell>
              <Cell class="number quiet">{count(edge.observations)}</Cell>
            </>
          )
        );
      }}
      empty="No edge is so strong."
    />
  );
}

/** One symbol with its neighbours, those that it moves with most first. */
export function Chosen({ whole, edges, number, community, onClose }: { whole: Whole; edges: Edge[]; number: number; community: number | undefined; onClose(): void }) {
  const neighbours = useMemo(() => edges.flatMap((edge) => (edge.from === number ? [{ to: edge.to, edge }] : edge.to === number ? [{ to: edge.from, edge }] : [])), [edges, number]);
  const node = whole.nodes[number];
  if (!node) return null;
  return (
    <aside class="panel" aria-label={node.symbol}>
      <header class="head">
        <h2>{node.symbol}</h2>
        <Community number={community} />
        <span class="space" />
        <a href={address(['market', node.symbol], { interval: whole.interval })}>Market</a>
        <button type="button" class="plain" aria-label="Choose none" onClick={onClose}>
          ✕
        </button>
      </header>
      <Facts
        facts={[
          ['Volatility', percent(node.volatility, 3)],
          ['Mean return', `${digits(node.mean_return * 100, 3)} %`],
          ['Bars', count(node.observations)],
        ]}
      />
      <Rows
        label={`Neighbours of ${node.symbol}`}
        layout="pairs"
        columns={['Neighbour', 'Correlation', 'Bars']}
        count={neighbours.length}
        height={HEIGHT}
        keyOf={(row) => String(neighbours[row]?.to)}
        row={(row) => {
          const neighbour = neighbours[row];
          return (
            neighbour && (
              <>
                <Cell class="clip">{whole.nodes[neighbour.to]?.symbol}</Cell>
                <Cell class="number">{neighbour.edge.correlation.toFixed(3)}</Cell>
                <Cell class="number quiet">{count(neighbour.edge.observations)}</Cell>
              </>
            )
          );
        }}
        empty="It has no edge that is so strong."
      />
    </aside>
  );
}

function Community({ number }: { number: number | undefined }) {
  return number === undefined ? null : <span class={`dot c${number % 8}`}>{number + 1}</span>;
}
