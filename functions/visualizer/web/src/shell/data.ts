/** What a page reads from the server, and how that stands. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, words } from '../api';

export interface Loaded<T> {
  data: T | undefined;
  /** Why the last reading failed; what was read before is kept. */
  problem: string | undefined;
  reload(): void;
}

/** Reads a path when it changes and when asked; none is read without a path. */
export function useData<T>(path: string | undefined): Loaded<T> {
  const [held, setHeld] = useState<{ path: string | undefined; data: T | undefined; problem: string | undefined }>({
    path,
    data: undefined,
    problem: undefined,
  });
  const running = useRef<AbortController | undefined>(undefined);
  const reload = useCallback(() => {
    running.current?.abort();
    if (path === undefined) return;
    const own = new AbortController();
    running.current = own;
    get<T>(path, own.signal).then(
      (data) => setHeld({ path, data, problem: undefined }),
      (error: unknown) => {
        const problem = words(error);
        if (problem !== undefined) setHeld((before) => ({ path, data: before.path === path ? before.data : undefined, problem }));
      },
    );
  }, [path]);
  useEffect(() => {
    reload();
    return () => running.current?.abort();
  }, [reload]);
  const isHeld = held.path === path;
  return { data: isHeld ? held.data : undefined, problem: isHeld ? held.problem : undefined, reload };
}

/** How long what was told of takes to be readable. */
const SETTLE_MILLIS = 200;

/** A call that runs at most once in so many milliseconds, and always once more after the last wish. */
export function useThrottled(call: () => void, millis: number): () => void {
  const latest = useRef(call);
  latest.current = call;
  const state = useRef<{ timer: ReturnType<typeof setTimeout> | undefined; at: number }>({ timer: undefined, at: 0 });
  useEffect(() => () => clearTimeout(state.current.timer), []);
  return useCallback(() => {
    const own = state.current;
    if (own.timer !== undefined) return;
    own.timer = setTimeout(
      () => {
        own.timer = undefined;
        own.at = Date.now();
        latest.current();
      },
      Math.max(SETTLE_MILLIS, own.at + millis - Date.now()),
    );
  }, [millis]);
}
