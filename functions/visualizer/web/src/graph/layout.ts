/** Where the symbols of a graph stand, and which of them belong together. */
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
  /** Number of each node's community, the largest first. */
  communities: number[];
}

const ITERATIONS = 300;

/** Places a graph; what stood somewhere before begins there, so that a later graph is found again. */
export function place(whole: Pick<Whole, 'nodes' | 'edges'>, before: ReadonlyMap<string, Point> = new Map()): Placed {
  const graph = new Graph({ type: 'undirected' });
  whole.nodes.forEach((node, index) => {
    // Always the same start: no random numbers, so that the same graph always looks the same.
    const angle = (2 * Math.PI * index) / Math.max(1, whole.nodes.length);
    const known = before.get(node.symbol);
    graph.addNode(index, known ? { x: (known.x - 0.5) * 10, y: (known.y - 0.5) * 10 } : { x: 5 * Math.cos(angle), y: 5 * Math.sin(angle) });
  });
  const weights = whole.edges.map((edge) => Math.abs(edge.weight));
  const [weakest, strongest] = [Math.min(...weights), Math.max(...weights)];
  for (const edge of whole.edges) {
    // Correlations of a market are all alike; what tells them apart has to pull.
    const share = (Math.abs(edge.weight) - weakest) / (strongest - weakest || 1);
    if (edge.from === edge.to || !graph.hasNode(edge.from) || !graph.hasNode(edge.to)) continue;
    graph.mergeEdge(edge.from, edge.to, { weight: Math.max(1e-6, Math.abs(edge.weight)), pull: 0.2 + 4 * share ** 2 });
  }
  const settings = { gravity: 1, scalingRatio: 4, strongGravityMode: true, slowDown: 4, edgeWeightInfluence: 1 };
  const positions = forceAtlas2(graph, { iterations: before.size > 0 ? ITERATIONS / 3 : ITERATIONS, settings, getEdgeWeight: 'pull' });
  const found = graph.size === 0 ? {} : louvain(graph, { getEdgeWeight: 'weight', rng: steady() });
  const points = whole.nodes.map((_, index) => positions[String(index)] ?? { x: 0, y: 0 });
  return { points: fit(points), communities: bySize(whole.nodes.map((_, index) => found[String(index)] ?? -1 - index)) };
}

/** Moves points into the square from 0 to 1, and keeps their proportions. */
export function fit(points: Point[]): Point[] {
  const xs = points.map((point) => point.x);
  const ys = points.map((point) => point.y);
  const [left, right, top, bottom] = [Math.min(...xs), Math.max(...xs), Math.min(...ys), Math.max(...ys)];
  const stretch = (value: number, low: number, high: number) => (high > low ? (value - low) / (high - low) : 0.5);
  return points.map(({ x, y }) => ({ x: stretch(x, left, right), y: stretch(y, top, bottom) }));
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
