/** Events as a tree by their causes, in lines. */

export interface Caused {
  id: string;
  type: string;
  source: string;
  subject?: string | null;
  time?: string | null;
  topic: string;
  partition: number;
  offset: number;
  cause?: string | null;
}

export interface Line {
  event: Caused;
  depth: number;
}

/** Each event below its cause, siblings in the order of the answer; one whose cause is not there stands for itself. */
export function arrange(events: Caused[]): Line[] {
  const ids = new Set(events.map((event) => event.id));
  const below = new Map<string | undefined, Caused[]>();
  for (const event of events) {
    const cause = event.cause && event.cause !== event.id && ids.has(event.cause) ? event.cause : undefined;
    const siblings = below.get(cause) ?? [];
    siblings.push(event);
    below.set(cause, siblings);
  }
  const seen = new Set<Caused>();
  const lines: Line[] = [];
  const expanded = new Set<string>();
  const visit = (roots: Caused[], base: number) => {
    const stack = roots.map((event) => ({ event, depth: base })).reverse();
    for (let line = stack.pop(); line; line = stack.pop()) {
      const { event, depth } = line;
      if (seen.has(event)) continue;
      seen.add(event);
      lines.push({ event, depth });
      // An event that was delivered twice has its consequences once.
      if (expanded.has(event.id)) continue;
      expanded.add(event.id);
      for (const next of (below.get(event.id) ?? []).toReversed()) stack.push({ event: next, depth: depth + 1 });
    }
  };
  visit(below.get(undefined) ?? [], 0);
  // What is left goes round in a circle, which no honest log has.
  visit(events.filter((event) => !seen.has(event)), 0);
  return lines;
}

/** `klines.loaded` of `io.streamforge.klines.loaded.v1`. */
export function short(type: string): string {
  return type.replace(/^io\.streamforge\./, '').replace(/\.v\d+$/, '');
}
