/** A graph together with where its symbols stand, which a worker finds. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { begun, outline, type Placed, type Point, type Whole } from './layout';

/** To find the communities of more edges takes a while: until then the symbols are drawn where they stood before. */
const MANY = 5_000;

export interface Shown {
  whole: Whole;
  placed: Placed;
}

/** The last graph that is placed at least roughly; the one before it stays until then. */
export function usePlaced(whole: Whole | undefined): { shown: Shown | undefined; problem: string | undefined } {
  const [shown, setShown] = useState<Shown>();
  const [problem, setProblem] = useState<string>();
  // Symbols that a graph does not have keep their place for the next one that has them.
  const stood = useRef(new Map<string, Point>());
  useEffect(() => {
    if (!whole) return;
    const show = (placed: Placed) => {
      placed.points.forEach((point, index) => stood.current.set(whole.nodes[index]?.symbol ?? '', point));
      setShown({ whole, placed });
    };
    // Without a node there is nothing to place; without a worker, the tables are there all the same.
    const unplaced = { points: [], communities: [], isSettled: true };
    if (whole.nodes.length === 0) return show(unplaced);
    if (whole.edges.length > MANY) show({ points: begun(whole, stood.current), communities: [], isSettled: false });
    const worker = new Worker(new URL('./worker.ts', import.meta.url), { type: 'module' });
    worker.onmessage = ({ data }: MessageEvent<Placed>) => show(data);
    worker.onerror = ({ message }) => {
      setProblem(`The graph could not be laid out: ${message || 'its worker did not load'}`);
      show(unplaced);
    };
    worker.postMessage(outline(whole, stood.current));
    return () => worker.terminate();
  }, [whole]);
  return { shown, problem };
}
