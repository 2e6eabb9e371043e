/** A graph as a picture: width of lines by weight, colours by community, size of dots by volatility. */
import Graph from 'graphology';
import Sigma from 'sigma';
import { EdgeLineProgram } from 'sigma/rendering';
import { useEffect, useRef, useState } from 'preact/hooks';
import { count } from '../format';
import { useTheme } from '../shell/theme';
import { range, type Edge, type Placed, type Point, type Whole } from './layout';
import { drawName, mix, palette, type Palette } from './paint';

/** Graphs with more nodes have smaller dots. */
const MANY_NODES = 120;
/** More edges than this have no width: wide ones cover each other, and cost the most where a processor draws them. */
const WIDE_EDGES = 500;
/** More edges than this are not drawn while anything moves. */
const MANY_EDGES = 2_000;
/** Of many edges not every step of a slider is drawn. */
const REBUILD_MILLIS = 120;
/** So many neighbours have their names beside the chosen symbol. */
const NAMED = 24;
const ZOOM = { duration: 150 };
const MIDDLE: Point = { x: 0.5, y: 0.5 };

export interface DrawingProps {
  whole: Whole;
  placed: Placed;
  /** Those that are drawn; a picture is made of no others, so that a few of many are drawn at once. */
  edges: readonly Edge[];
  chosen: number | undefined;
  onChoose(index: number | undefined): void;
}

interface Look {
  chosen: number | undefined;
  near: ReadonlySet<number>;
  /** Whether edges are left out while the symbols move to their places. */
  isBare: boolean;
  colours: Palette;
}

export function Drawing(props: DrawingProps) {
  const { whole, placed, edges, chosen } = props;
  const place = useRef<HTMLDivElement>(null);
  const sigma = useRef<Sigma | undefined>(undefined);
  const built = useRef<{ whole?: Whole; edges?: readonly Edge[] }>({});
  const look = useRef<Look>({ chosen: undefined, near: new Set(), isBare: false, colours: palette() });
  const choose = useRef(props.onChoose);
  choose.current = props.onChoose;
  const [problem, setProblem] = useState<string>();
  /** Width of the frame for one of height. */
  const [shape, setShape] = useState(1.5);
  const theme = useTheme();
  useEffect(() => {
    const frame = place.current;
    if (!frame) return;
    try {
      sigma.current = begin(frame, look.current, (index) => choose.current(index === look.current.chosen ? undefined : index));
    } catch (error) {
      console.warn(error);
      return setProblem('This browser draws no WebGL: the lists have all that the picture would show.');
    }
    const sized = new ResizeObserver(() => {
      sigma.current?.resize().scheduleRender();
      setShape(frame.clientWidth / Math.max(1, frame.clientHeight));
    });
    sized.observe(frame);
    return () => {
      sized.disconnect();
      sigma.current?.kill();
      sigma.current = undefined;
    };
  }, []);
  useEffect(() => {
    if (!sigma.current) return;
    // Points fill a square, the frame is as wide as it is.
    const points = placed.points.map(({ x, y }) => ({ x: x * shape, y }));
    look.current.isBare = !placed.isSettled && edges.length > MANY_EDGES;
    if (placed.isSettled) sigma.current.scheduleRefresh();
    const rebuild = () => {
      built.current = { whole, edges };
      sigma.current?.setSetting('hideEdgesOnMove', edges.length > MANY_EDGES);
      // Of many names only some have room.
      sigma.current?.setSetting('labelDensity', whole.nodes.length > MANY_NODES ? 1 : MANY_NODES);
      sigma.current?.setGraph(build(whole, edges, { ...placed, points }));
    };
    if (built.current.whole !== whole) return rebuild();
    if (built.current.edges === edges) return move(sigma.current.getGraph(), points, placed.communities);
    const timer = setTimeout(rebuild, edges.length > MANY_EDGES ? REBUILD_MILLIS : 0);
    return () => clearTimeout(timer);
  }, [whole, edges, placed, shape]);
  useEffect(() => {
    const near = new Set(edges.flatMap(({ from, to }) => (from === chosen ? [to] : to === chosen ? [from] : [])));
    Object.assign(look.current, { chosen, near });
    sigma.current?.scheduleRefresh();
  }, [edges, chosen]);
  useEffect(() => {
    look.current.colours = palette();
    sigma.current?.scheduleRefresh();
  }, [theme]);
  const camera = () => sigma.current?.getCamera();
  return (
    <div class="panel drawing" data-settled={placed.isSettled}>
      <div class="canvas" ref={place} role="img" aria-label={`${count(whole.nodes.length)} symbols and ${count(edges.length)} edges; the lists beside have them by name`} />
      {problem !== undefined && <p class="empty">{problem}</p>}
      <div class="zoom" role="group" aria-label="Picture">
        <button type="button" aria-label="Nearer" onClick={() => void camera()?.animatedZoom(ZOOM)}>
          +
        </button>
        <button type="button" aria-label="Further" onClick={() => void camera()?.animatedUnzoom(ZOOM)}>
          −
        </button>
        <button type="button" aria-label="Whole" onClick={() => void camera()?.animatedReset(ZOOM)}>
          ⤢
        </button>
      </div>
    </div>
  );
}

function begin(frame: HTMLElement, look: Look, onChoose: (index: number | undefined) => void): Sigma {
  const sigma = new Sigma(new Graph({ type: 'undirected' }), frame, {
    allowInvalidContainer: true,
    labelFont: 'system-ui, sans-serif',
    labelSize: 12,
    labelRenderedSizeThreshold: 0,
    minEdgeThickness: 1,
    // Names and the buttons have place beside the outermost dots.
    stagePadding: 64,
    minCameraRatio: 0.05,
    maxCameraRatio: 2,
    zIndex: true,
    edgeProgramClasses: { hair: EdgeLineProgram },
    defaultDrawNodeLabel: (context, node, { labelSize, labelFont }) => drawName(context, node, `${labelSize}px ${labelFont}`, look.colours),
    defaultDrawNodeHover: (context, node, { labelSize, labelFont }) => drawName(context, node, `600 ${labelSize}px ${labelFont}`, look.colours),
    nodeReducer: (key, { community, ...node }) => {
      const { colours, chosen, near } = look;
      const index = Number(key);
      const own = colours.communities[Number(community) % colours.communities.length] ?? colours.line;
      if (chosen === undefined) return { ...node, color: own };
      if (index === chosen) return { ...node, color: own, size: Number(node['size']) + 3, forceLabel: true, zIndex: 2 };
      return near.has(index) ? { ...node, color: own, forceLabel: near.size <= NAMED, zIndex: 1 } : { ...node, color: mix(colours.surface, own, 0.2), label: null };
    },
    edgeReducer: (_, { from, to, correlation, share, size, faintest, type }) => {
      const { colours, chosen, isBare } = look;
      if (isBare) return { hidden: true };
      const isOwn = chosen === undefined || from === chosen || to === chosen;
      const strength = isOwn ? Number(faintest) + (1 - Number(faintest)) * Number(share) : 0.06;
      const colour = mix(colours.surface, Number(correlation) < 0 ? colours.against : colours.line, strength);
      return { type: String(type), size: Number(size), color: colour, zIndex: isOwn && chosen !== undefined ? 1 : 0 };
    },
  });
  sigma.on('clickNode', ({ node }) => onChoose(Number(node)));
  sigma.on('clickStage', () => onChoose(undefined));
  sigma.on('enterNode', () => frame.classList.add('over'));
  sigma.on('leaveNode', () => frame.classList.remove('over'));
  sigma.on('afterRender', () => {
    frame.dataset['nodes'] = String(sigma.getGraph().order);
  });
  return sigma;
}

/** Strong edges are drawn last, above the others. */
function build({ nodes, edges: all }: Whole, edges: readonly Edge[], { points, communities }: Placed): Graph {
  const graph = new Graph({ type: 'undirected' });
  const [calmest, wildest] = range(nodes.map(({ volatility }) => volatility));
  // Of all edges, so that a line is as wide however many are drawn.
  const [weakest, strongest] = range(all.map(({ weight }) => Math.abs(weight)));
  const isFine = edges.length > WIDE_EDGES;
  const [dot, faintest] = [nodes.length > MANY_NODES ? 0.45 : 1, edges.length > MANY_EDGES ? 0.1 : isFine ? 0.3 : 0.5];
  nodes.forEach(({ symbol, volatility }, index) => {
    const size = (6 + (10 * (volatility - calmest)) / (wildest - calmest || 1)) * dot;
    graph.addNode(index, { label: symbol, ...(points[index] ?? MIDDLE), size, community: communities[index] ?? 0 });
  });
  for (const { from, to, weight, correlation } of edges.toSorted((a, b) => Math.abs(a.weight) - Math.abs(b.weight))) {
    if (from === to || !nodes[from] || !nodes[to]) continue;
    const share = strongest > weakest ? (Math.abs(weight) - weakest) / (strongest - weakest) : 1;
    graph.mergeEdge(from, to, { from, to, correlation, share, faintest, type: isFine ? 'hair' : 'line', size: 1.5 + 4 * share });
  }
  return graph;
}

function move(graph: Graph, points: Point[], communities: number[]): void {
  const moved = (key: string) => ({ ...points[Number(key)], community: communities[Number(key)] ?? 0 });
  graph.updateEachNodeAttributes((key, attributes) => ({ ...attributes, ...moved(key) }), { attributes: ['x', 'y', 'community'] });
}
