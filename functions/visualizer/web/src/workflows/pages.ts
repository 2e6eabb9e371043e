/** The list of workflows as far as it was read: pages by the server's cursors, put together without holes. */
import type { Status, Summary } from './document';

export interface Answer {
  queues: Summary[];
  next_cursor: string | null;
}

export interface Part {
  /** What the part was asked for with; none for the newest. */
  cursor: string | undefined;
  rows: Summary[];
}

export interface Read {
  parts: Part[];
  /** Where to read on; null at the end. */
  next: string | null;
}

export const NOTHING: Read = { parts: [], next: null };

export function rows(read: Read): Summary[] {
  return read.parts.flatMap((part) => part.rows);
}

/** Adds the part that was asked for with the cursor of `read.next`. */
export function append(read: Read, cursor: string | undefined, answer: Answer): Read {
  if (cursor !== undefined && cursor !== read.next) return read;
  const known = new Set(rows(read).map((row) => row.id));
  const fresh = answer.queues.filter((row) => !known.has(row.id));
  return { parts: [...read.parts, { cursor, rows: fresh }], next: answer.next_cursor };
}

/** Puts a part that was read again in the place of the old one. */
export function renew(read: Read, index: number, answer: Answer, status: Status | undefined): Read {
  const part = read.parts[index];
  if (!part) return read;
  if (index === 0) return renewHead(read, part, answer, status);
  const elsewhere = new Set(read.parts.flatMap((other, at) => (at === index ? [] : other.rows.map((row) => row.id))));
  const rowsNow = answer.queues.filter((row) => !elsewhere.has(row.id));
  return { ...read, parts: read.parts.with(index, { ...part, rows: rowsNow }) };
}

/** New workflows come in before the head: what they push out of the newest page stays, unless nothing of it is left. */
function renewHead(read: Read, head: Part, answer: Answer, status: Status | undefined): Read {
  const seen = new Set(answer.queues.map((row) => row.id));
  const lastShared = head.rows.findLastIndex((row) => seen.has(row.id));
  const isWhole = answer.next_cursor === null;
  if (isWhole || (lastShared < 0 && head.rows.length > 0)) {
    return { parts: [{ cursor: undefined, rows: answer.queues }], next: answer.next_cursor };
  }
  // Below the last row that both have lies what was pushed out; a filter may also have let go of rows there.
  const pushedOut = head.rows.slice(lastShared + 1);
  const kept = status === undefined ? pushedOut : pushedOut.filter((row) => row.status === status);
  const newest = { cursor: undefined, rows: [...answer.queues, ...kept] };
  const known = new Set(newest.rows.map((row) => row.id));
  const others = read.parts.slice(1).map((part) => ({ ...part, rows: part.rows.filter((row) => !known.has(row.id)) }));
  return { parts: [newest, ...others], next: read.next };
}

/** Numbers of the parts in which rows from `first` to `last` lie. */
export function partsOf(read: Read, first: number, last: number): number[] {
  let start = 0;
  return read.parts.flatMap((part, index) => {
    const end = start + part.rows.length;
    const isInSight = start <= last && first < end;
    start = end;
    return isInSight ? [index] : [];
  });
}
