/** Where the symbols of a graph stand, and which of them belong together: found in slices, so that each can be shown. */
import Graph from 'graphology';
import louvain from 'graphology-communities-louvain';
import forceAtlas2 from 'graphology-layout-forceatlas2';

export interface Node {
  symbol: string;
  observations: number;
  mean_return: number;
  volatility: number;
}

/** `from` and `to` are numbers of nodes. */
export interface Edge {
  from: number;
  to: number;
  correlation: number;
  weight: number;
  observations: number;
}

export interface Whole {
  id: string;
  version: number | string;
  interval: string;
  from: number;
  to: number;
  parameters: unknown;
  nodes: Node[];
  edges: Edge[];
}

export interface Point {
  x: number;
  y: number;
}

export interface Placed {
  /** Between 0 and 1 in both directions, one for each node. */
  points: Point[];
  /** Number of each node's community, the largest first; none before they are found. */
  communities: number[];
  /** Whether the points will not move any more. */
  isSettled: boolean;
}

/** What placing needs of a graph, small enough to be handed to a worker at once. */
export interface Outline {
  /** Where each node stood before, if it did. */
  known: (Point | undefined)[];
  /** Both ends of each edge, one edge after the other. */
  ends: Uint32Array;
  weights: Float64Array;
}

const ITERATIONS = 300;
/** Enough for what stood somewhere already, which they leave near there, and for graphs of which each takes long. */
const FEWER_ITERATIONS = 100;
const MANY = 200;
const SLICE = 25;

export function outline({ nodes, edges }: Pick<Whole, 'nodes' | 'edges'>, before: ReadonlyMap<string, Point> = new Map()): Outline {
  const sound = edges.filter(({ from, to }) => from !== to && nodes[from] !== undefined && nodes[to] !== undefined);
  return {
    known: nodes.map(({ symbol }) => before.get(symbol)),
    ends: Uint32Array.from(sound.flatMap(({ from, to }) => [from, to])),
    weights: Float64Array.from(sound, ({ weight }) => Math.abs(weight)),
  };
}

/** Where symbols are before they are placed: where they stood, or on a circle. */
export function begun({ nodes }: Pick<Whole, 'nodes'>, before: ReadonlyMap<string, Point>): Point[] {
  return nodes.map(({ symbol }, index) => {
    const angle = (2 * Math.PI * index) / nodes.length;
    return before.get(symbol) ?? { x: 0.5 + 0.5 * Math.cos(angle), y: 0.5 + 0.5 * Math.sin(angle) };
  });
}

/** Places a graph; what stood somewhere before begins there, so that a later graph is found again. */
export function* place({ known, ends, weights }: Outline): Generator<Placed> {
  const graph = new Graph({ type: 'undirected' });
  known.forEach((_, index) => graph.addNode(index));
  const [weakest, strongest] = range(weights);
  weights.forEach((weight, index) => {
    // Correlations of a market are all alike; what tells them apart has to pull.
    const share = (weight - weakest) / (strongest - weakest || 1);
    graph.mergeEdge(ends[2 * index], ends[2 * index + 1], { weight: Math.max(1e-6, weight), pull: 0.2 + 4 * share ** 2 });
  });
  const found = graph.size === 0 ? {} : louvain(graph, { getEdgeWeight: 'weight', rng: steady() });
  const communities = bySize(known.map((_, index) => found[String(index)] ?? -1 - index));
  // Always the same start, without random numbers; what belongs together is together from the beginning.
  const circle = [...known.keys()].sort((a, b) => (communities[a] ?? 0) - (communities[b] ?? 0) || a - b);
  circle.forEach((index, order) => {
    const angle = (2 * Math.PI * order) / circle.length;
    const point = known[index];
    graph.mergeNodeAttributes(index, point ? { x: (point.x - 0.5) * 10, y: (point.y - 0.5) * 10 } : { x: 5 * Math.cos(angle), y: 5 * Math.sin(angle) });
  });
  const settings = { gravity: 1, scalingRatio: 4, strongGravityMode: true, slowDown: 4, edgeWeightInfluence: 1 };
  const isKnown = known.some((point) => point !== undefined);
  const iterations = isKnown || known.length > MANY ? FEWER_ITERATIONS : ITERATIONS;
  for (let done = 0; known.length > 0; done += SLICE) {
    const points = graph.mapNodes((_, { x, y }) => ({ x: Number(x), y: Number(y) }));
    yield { points: fit(points), communities, isSettled: done >= iterations };
    if (done >= iterations) return;
    forceAtlas2.assign(graph, { iterations: SLICE, settings, getEdgeWeight: 'pull' });
  }
}

/** Moves points into the square from 0 to 1 and stretches them to its sides. */
export function fit(points: Point[]): Point[] {
  const [left, right] = range(points.map((point) => point.x));
  const [top, bottom] = range(points.map((point) => point.y));
  const stretch = (value: number, low: number, high: number) => (high > low ? (value - low) / (high - low) : 0.5);
  return points.map(({ x, y }) => ({ x: stretch(x, left, right), y: stretch(y, top, bottom) }));
}

/** The least and the greatest value. */
export function range(values: Iterable<number>): [number, number] {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  return [low, high];
}

/** Numbers communities by their size, so that the largest always has the first colour. */
export function bySize(communities: number[]): number[] {
  const sizes = new Map<number, number>();
  for (const community of communities) sizes.set(community, (sizes.get(community) ?? 0) + 1);
  const order = [...sizes].sort((a, b) => b[1] - a[1] || communities.indexOf(a[0]) - communities.indexOf(b[0])).map(([community]) => community);
  return communities.map((community) => order.indexOf(community));
}

/** Numbers that look random and are the same each time. */
function steady(): () => number {
  let state = 1;
  return () => {
    state = (Math.imul(state, 48_271) >>> 0) % 0x7fffffff;
    return state / 0x7fffffff;
  };
}
