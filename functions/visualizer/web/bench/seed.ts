/** Fills a platform through its own interfaces: candles of many symbols, graphs of them, many workflows. */
import type { Site } from '../tests/support/site';
import { until } from '../tests/support/site';

export const SYMBOLS = 500;
export const WORKFLOWS = Number(process.env['WORKFLOWS'] ?? 10_000);
export const GRAPHS = ['earlier', 'later'];
const DAYS = ['2024-05-29', '2024-05-30', '2024-05-31'];
/** Each symbol and those that it moves with most: 500 of them have some 20,000 to 32,000 edges. */
const NEAREST = 64;
const AT_ONCE = 32;
const LOAD_MILLIS = 1_800_000;

/** Does what is not done yet, so that a folder that was kept is filled but once. */
export async function seed(site: Site): Promise<void> {
  const { symbols } = (await (await fetch(`${site.exchange}/api/v3/exchangeInfo`)).json()) as { symbols: { symbol: string }[] };
  const names = symbols.map(({ symbol }) => symbol).slice(0, SYMBOLS);
  const stored = (await site.get<{ graphs: { id: string }[] }>('/views/graphs')).graphs.map(({ id }) => id);
  for (const [index, graph] of GRAPHS.entries()) {
    if (stored.includes(graph)) continue;
    const id = await site.request({
      symbols: names,
      time_range: `${DAYS[index]}:${DAYS[index + 1]}`,
      requests: [
        { target: 'loader-producer', type: 'api_candles_1m' },
        { target: 'arango-connector', type: 'api_candles_1m' },
        { target: 'graph-builder', type: 'gnn_graph', threshold: 1, k: NEAREST, collection_output: graph },
      ],
    });
    console.error(`${graph}: ${await told(site, id)}`);
  }
  const body = { symbols: ['BTCUSDT'], time_range: '2024-05-01:2024-05-02', requests: [{ target: 'dummy-service', type: 'dummy', simulate_loading: { steps: 1, step_ms: 1 } }] };
  for (let begun = await workflows(site); begun < WORKFLOWS; begun += AT_ONCE) {
    await Promise.all(Array.from({ length: Math.min(AT_ONCE, WORKFLOWS - begun) }, () => site.request(body)));
    if (begun % 1_000 < AT_ONCE) console.error(`${begun} workflows`);
  }
  await until('the end of all workflows', LOAD_MILLIS, async () => ((await all(site, 'loading')) + (await all(site, 'pending')) === 0 ? true : undefined));
}

async function told(site: Site, id: string): Promise<string> {
  const status = await site.ended(id, LOAD_MILLIS);
  const { records_written: records, error_message: reason } = await site.get<{ records_written: number; error_message: string | null }>(`/queues/${id}`);
  if (status !== 'finished') throw new Error(`${id}: ${reason}`);
  return `${records} candles`;
}

/** How many workflows there are. */
export async function workflows(site: Site): Promise<number> {
  return all(site);
}

async function all(site: Site, status?: string): Promise<number> {
  let [found, cursor]: [number, string | null] = [0, ''];
  while (cursor !== null) {
    const query = new URLSearchParams({ limit: '500', ...(status ? { status } : {}), ...(cursor === '' ? {} : { cursor }) });
    const page: { queues: unknown[]; next_cursor: string | null } = await site.get(`/queues?${query.toString()}`);
    found += page.queues.length;
    cursor = page.next_cursor;
  }
  return found;
}
