/** Messages of a topic as the page holds them: newest first, each once. */

export interface Told {
  partition: number;
  offset: number;
  timestamp: number;
  event: Record<string, unknown>;
  /** How large data is that was cut. */
  truncated?: number;
}

/** Puts messages in their place; one that is there already changes nothing, the oldest go when there are too many. */
export function insert(held: Told[], fresh: Told[], most: number): Told[] {
  const known = new Set(held.map(key));
  const unknown = fresh.filter((told) => {
    const isNew = !known.has(key(told));
    known.add(key(told));
    return isNew;
  });
  if (unknown.length === 0) return held;
  return [...unknown, ...held].sort((a, b) => b.timestamp - a.timestamp || b.partition - a.partition || b.offset - a.offset).slice(0, most);
}

function key({ partition, offset }: Told): string {
  return `${partition}:${offset}`;
}
