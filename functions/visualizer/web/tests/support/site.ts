/** A real platform beside a simulated exchange, with the pages on it. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { start, stop, type Started } from './process';

const WEB = fileURLToPath(new URL('../..', import.meta.url));
/** Bars that the exchange never had: the gap that a person has to find. */
export const OUTAGE = { from: '2024-04-20T03:00:00Z', to: '2024-04-20T06:00:00Z' };

/** How the exchange is. */
export interface Market {
  /** Where its clock begins. */
  start: string;
  speed: number;
  symbols: number;
  outage: { from: string; to: string };
}

export const USUAL: Market = { start: '2024-06-01T12:07:30Z', speed: 30, symbols: 10, outage: OUTAGE };

export class Site {
  #folder = '';
  #exchange: Started | undefined;
  #platform: Started | undefined;
  #preview: Started | undefined;
  /** Where the API is; the same after the platform was killed and started again. */
  api = '';
  /** Where the pages are. */
  pages = '';

  /** `kept` is a folder for the data that is there already, or stays afterwards. */
  constructor(
    readonly market: Market = USUAL,
    readonly kept?: string,
  ) {}

  /** The binary that is tested. */
  static get binary(): string {
    const named = process.env['STREAMFORGE'];
    if (!named) throw new Error('STREAMFORGE must name the binary to test');
    return named;
  }

  async begin(): Promise<void> {
    this.#folder = this.kept ?? (await mkdtemp(join(tmpdir(), 'streamforge-pages-')));
    const { start: begin, speed, symbols, outage } = this.market;
    const source = ['--source', `synthetic:42,symbols=${symbols},pace=5`, '--faults', `outage:${outage.from}/${outage.to}`];
    const exchange = ['exchange', 'serve', ...source, '--start', begin, '--speed', String(speed), '--listen', '127.0.0.1:0'];
    this.#exchange = await start(Site.binary, exchange, (line) => /https?:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0]);
    await this.up();
    this.pages = this.api;
    if (process.env['PAGES'] === 'preview') {
      // Pages that were just built, before a binary holds them.
      const vite = join(WEB, 'node_modules/vite/bin/vite.js');
      const plain = (line: string) => line.replace(/\u001b\[\d+m/g, '');
      this.#preview = await start(process.execPath, [vite, 'preview', WEB, '--port', '0', '--host', '127.0.0.1'], (line) => /http:\/\/127\.0\.0\.1:\d+/.exec(plain(line))?.[0], {
        STREAMFORGE_URL: this.api,
      });
      this.pages = this.#preview.found;
    }
  }

  /** Starts the platform, on the port that it had before. */
  async up(): Promise<void> {
    const address = this.api === '' ? '127.0.0.1:0' : new URL(this.api).host;
    const folder = join(this.#folder, 'data');
    const parameters = ['up', '--json', '--data-dir', folder, '--exchange', this.exchange, '--ingress', '127.0.0.1:0', '--api', address];
    this.#platform = await start(Site.binary, parameters, (line) => /"api":"([^"]+)"/.exec(line)?.[1]);
    this.api = this.#platform.found;
  }

  /** Kills the platform without a word of warning. */
  async kill(): Promise<void> {
    if (this.#platform) await stop(this.#platform.child, 'SIGKILL');
  }

  async end(): Promise<void> {
    for (const started of [this.#preview, this.#platform, this.#exchange]) if (started) await stop(started.child);
    if (this.#folder !== '' && this.kept === undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  /** Where the exchange is. */
  get exchange(): string {
    return this.#exchange?.found ?? '';
  }

  /** The process of the platform, whose children are its workers. */
  get process(): number {
    return this.#platform?.child.pid ?? 0;
  }

  /** Runs a command of the binary on the data of this platform. */
  async command(...parameters: string[]): Promise<string> {
    const run = promisify(execFile);
    const { stdout } = await run(Site.binary, [...parameters, '--data-dir', join(this.#folder, 'data')], { maxBuffer: 64e6 });
    return stdout;
  }

  async get<T>(path: string): Promise<T> {
    const answer = (await (await fetch(this.api + path)).json()) as { data: T };
    return answer.data;
  }

  /** Starts a workflow and gives its id. */
  async request(body: unknown): Promise<string> {
    const response = await fetch(`${this.api}/queues/start-pipeline`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    const answer = (await response.json()) as { message: string; data: { queue_id: string } | null };
    if (!answer.data) throw new Error(answer.message);
    return answer.data.queue_id;
  }

  /** Waits until a workflow ended, and gives its status. */
  async ended(id: string, millis: number): Promise<string> {
    return until(`the end of ${id}`, millis, async () => {
      const { status } = await this.get<{ status: string }>(`/queues/${id}`);
      return ['finished', 'error', 'stopped'].includes(status) ? status : undefined;
    });
  }
}

/** Asks again and again until there is an answer. */
export async function until<T>(what: string, millis: number, ask: () => Promise<T | undefined>): Promise<T> {
  const end = Date.now() + millis;
  let last: unknown;
  for (;;) {
    try {
      const answer = await ask();
      if (answer !== undefined) return answer;
    } catch (error) {
      last = error;
    }
    if (Date.now() > end) throw new Error(`${what} did not come in ${millis} ms${last ? `: ${String(last)}` : ''}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}
