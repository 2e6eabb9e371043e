/** A graph as a picture: width of lines by weight, colours by community, size of dots by volatility. */
import type { Edge, Placed, Whole } from './layout';

const WIDTH = 1_000;
const HEIGHT = 640;
const EDGE = 84;
const LABELLED = 120;

export interface DrawingProps {
  whole: Whole;
  edges: Edge[];
  placed: Placed;
  chosen: number | undefined;
  onChoose(index: number | undefined): void;
}

export function Drawing({ whole, edges, placed, chosen, onChoose }: DrawingProps) {
  const at = (index: number) => {
    const point = placed.points[index] ?? { x: 0.5, y: 0.5 };
    return { x: EDGE + point.x * (WIDTH - 2 * EDGE), y: EDGE + point.y * (HEIGHT - 2 * EDGE) };
  };
  const [weakest, strongest] = range(edges.map((edge) => Math.abs(edge.weight)));
  const [calmest, wildest] = range(whole.nodes.map((node) => node.volatility));
  const near = new Set(edges.flatMap((edge) => (edge.from === chosen ? [edge.to] : edge.to === chosen ? [edge.from] : [])));
  const isFaint = (index: number) => chosen !== undefined && index !== chosen && !near.has(index);
  return (
    <svg class="panel drawing" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="group" aria-label={`${whole.nodes.length} symbols and ${edges.length} edges`} onClick={() => onChoose(undefined)}>
      <g aria-hidden="true">
        {edges.toSorted((a, b) => Math.abs(a.weight) - Math.abs(b.weight)).map((edge) => {
          const [from, to] = [at(edge.from), at(edge.to)];
          const share = (Math.abs(edge.weight) - weakest) / (strongest - weakest || 1);
          const isOwn = chosen === undefined || edge.from === chosen || edge.to === chosen;
          return (
            <line
              key={`${edge.from} ${edge.to}`}
              class={`${edge.correlation < 0 ? 'against' : 'with'} ${isOwn ? '' : 'faint'}`}
              x1={from.x}
              y1={from.y}
              x2={to.x}
              y2={to.y}
              stroke-width={0.8 + 4.2 * share}
              stroke-opacity={0.25 + 0.6 * share}
            />
          );
        })}
      </g>
      {whole.nodes.map((node, index) => {
        const { x, y } = at(index);
        const radius = 6 + 10 * ((node.volatility - calmest) / (wildest - calmest || 1)) * (whole.nodes.length > LABELLED ? 0.5 : 1);
        const choose = () => onChoose(index === chosen ? undefined : index);
        return (
          <g
            key={node.symbol}
            class={`node c${(placed.communities[index] ?? 0) % 8} ${isFaint(index) ? 'faint' : ''}`}
            role="button"
            tabIndex={0}
            aria-pressed={index === chosen}
            aria-label={node.symbol}
            transform={`translate(${x.toFixed(1)} ${y.toFixed(1)})`}
            onClick={(event) => {
              event.stopPropagation();
              choose();
            }}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' && event.key !== ' ') return;
              event.preventDefault();
              choose();
            }}
          >
            <circle r={radius} />
            {(whole.nodes.length <= LABELLED || index === chosen || near.has(index)) && <text y={-radius - 5}>{node.symbol}</text>}
          </g>
        );
      })}
    </svg>
  );
}

function range(values: number[]): [number, number] {
  return values.reduce<[number, number]>(([low, high], value) => [Math.min(low, value), Math.max(high, value)], [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]);
}
