/**
 * Server-sent events that survive a lost connection: each stream goes on behind the last event that the page took.
 * `fetch` is used instead of `EventSource`, which gives up for ever on the first answer that is not 200.
 */
import { Links } from './links';
import { Reader, type Message } from './sse';

export type { Message };

export interface Options {
  /** The id to go on behind; without it, the stream begins where the server likes. */
  from?: string;
  onMessage(message: Message): void;
  /** Called when a connection stands: `again` is whether there was one before. */
  onOpen?(again: boolean): void;
  /** Called with the server's words when it will never serve this stream. */
  onRefused?(reason: string): void;
  /** Whether the stream may end for good when the server ends it. */
  isOver?(): boolean;
}

/** Links of this page, for what is told of the connection. */
export const links = new Links();

/** A connection that says nothing for so long is taken for dead; servers send a comment every 15 seconds. */
const SILENCE_MILLIS = 40_000;
const PAUSES_MILLIS = [250, 500, 1_000, 2_000, 4_000];

/** Follows a stream until the returned function is called. */
export function follow(path: string, options: Options): () => void {
  const stopped = new AbortController();
  const link = links.add();
  void run(path, options, stopped.signal, link).finally(() => link.remove());
  return () => stopped.abort();
}

type Link = ReturnType<Links['add']>;

async function run(path: string, options: Options, stopped: AbortSignal, link: Link): Promise<void> {
  let last = options.from;
  let failures = 0;
  let wasOpen = false;
  while (!stopped.aborted) {
    const once = new AbortController();
    const signal = AbortSignal.any([stopped, once.signal]);
    try {
      const response = await fetch(path, { headers: headers(last), signal, cache: 'no-store' });
      if (isRefusal(response.status)) {
        options.onRefused?.(await reason(response));
        return;
      }
      if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
      failures = 0;
      link.isUp();
      options.onOpen?.(wasOpen);
      wasOpen = true;
      await read(response.body, once, (message) => {
        // The place moves only after the page took the event, so that a failure repeats it instead of losing it.
        if (message.data !== '') options.onMessage(message);
        last = message.id ?? last;
      });
      if (options.isOver?.()) return;
    } catch (error) {
      if (stopped.aborted) return;
      if (!isConnection(error)) throw error;
    }
    link.isDown();
    await pause(PAUSES_MILLIS[Math.min(failures, PAUSES_MILLIS.length - 1)] ?? 1_000, stopped);
    failures += 1;
  }
}

async function read(body: ReadableStream<Uint8Array>, once: AbortController, take: (message: Message) => void): Promise<void> {
  const parser = new Reader(take);
  const decoder = new TextDecoder();
  const reader = body.getReader();
  for (;;) {
    // A comment is a sign of life as well.
    const silence = setTimeout(() => once.abort(), SILENCE_MILLIS);
    const { done, value } = await reader.read().finally(() => clearTimeout(silence));
    if (done) return;
    parser.feed(decoder.decode(value, { stream: true }));
  }
}

function headers(last: string | undefined): Record<string, string> {
  const accept = { accept: 'text/event-stream' };
  return last === undefined ? accept : { ...accept, 'last-event-id': last };
}

/** Whether asking again would change nothing. */
function isRefusal(status: number): boolean {
  return (status >= 400 && status < 500 && status !== 408 && status !== 429) || status === 501;
}

async function reason(response: Response): Promise<string> {
  const answer: unknown = await response.json().catch(() => undefined);
  if (typeof answer === 'object' && answer !== null && 'message' in answer) return String(answer.message);
  return `the server answered ${response.status}`;
}

/** Whether an error is one of the connection, and not a mistake of the page. */
function isConnection(error: unknown): boolean {
  return error instanceof DOMException || error instanceof TypeError || (error instanceof Error && /^status /.test(error.message));
}

/** Waits, but not when the network comes back or the page is looked at again. */
function pause(millis: number, stopped: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const over = new AbortController();
    const end = () => {
      clearTimeout(timer);
      over.abort();
      resolve();
    };
    const timer = setTimeout(end, millis);
    const { signal } = over;
    window.addEventListener('online', end, { signal });
    document.addEventListener('visibilitychange', () => !document.hidden && end(), { signal });
    stopped.addEventListener('abort', end, { signal });
  });
}
