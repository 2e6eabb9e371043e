/**
 * Reads server-sent events from pieces of text.
 * An event without data is handed on too: its id is where a stream begins or has got to, and must not be lost.
 *
 * Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */

export interface Message {
  id: string | undefined;
  event: string;
  /** Empty where an event has an id alone. */
  data: string;
}

export class Reader {
  #rest = '';
  #isFirst = true;
  #id: string | undefined;
  #event = '';
  #data: string[] = [];

  constructor(readonly onMessage: (message: Message) => void) {}

  feed(piece: string): void {
    this.#rest += piece;
    if (this.#isFirst && this.#rest !== '') {
      this.#rest = this.#rest.replace(/^\uFEFF/, '');
      this.#isFirst = false;
    }
    // A carriage return at the very end may be half of a line's end.
    const end = this.#rest.endsWith('\r') ? this.#rest.length - 1 : this.#rest.length;
    const lines = this.#rest.slice(0, end).split(/\r\n|\n|\r/);
    this.#rest = (lines.pop() ?? '') + this.#rest.slice(end);
    for (const line of lines) this.#take(line);
  }

  #take(line: string): void {
    if (line === '') return this.#end();
    const colon = line.indexOf(':');
    if (colon === 0) return;
    const field = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? '' : line.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') this.#data.push(value);
    else if (field === 'event') this.#event = value;
    else if (field === 'id' && !value.includes('\0')) this.#id = value;
  }

  #end(): void {
    const message = { id: this.#id, event: this.#event === '' ? 'message' : this.#event, data: this.#data.join('\n') };
    const isNothing = this.#id === undefined && this.#data.length === 0;
    this.#id = undefined;
    this.#event = '';
    this.#data = [];
    if (!isNothing) this.onMessage(message);
  }
}
