/**
 * Takes the pictures of the documentation: every page beside a live market, light and dark, wide and narrow.
 *
 * `STREAMFORGE=… npm run pictures` writes docs/pages/*.webp; it takes some minutes, of which a training is the most.
 */
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { Browser } from './tests/support/browser';
import { Site, until, USUAL } from './tests/support/site';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
const FOLDER = join(ROOT, 'docs/pages');
/** Of 100, at which small letters are as sharp as on the page. */
const QUALITY = 90;
const DAY = 86_400_000;
const TRAINING_MILLIS = 600_000;

const day = (ago: number) => new Date(Date.now() - ago * DAY).toISOString().slice(0, 10);
const site = new Site({
  ...USUAL,
  start: new Date().toISOString(),
  speed: 20,
  // Bars that are missing keep a model from predicting for a week of bars: none is here.
  outage: { from: '2020-01-01T00:00:00Z', to: '2020-01-01T01:00:00Z' },
});
const browser = new Browser();

interface Shot {
  name: string;
  path: string;
  there: string;
  use?(page: Page): Promise<void>;
}

try {
  await mkdir(FOLDER, { recursive: true });
  await site.begin();
  await browser.begin();
  const shots = await prepare();
  for (const shot of shots) {
    await take(shot);
  }
} finally {
  await browser.end();
  await site.end();
}

/** Brings about what is to be seen. */
async function prepare(): Promise<Shot[]> {
  const example = JSON.parse(await readFile(join(ROOT, 'examples/live-ten-symbols.json'), 'utf8')) as { symbols: string[]; requests: object[] };
  const live = await site.request({ ...example, time_range: `${day(30)}:${day(0)}` });
  const load = (type: string) => [
    { target: 'loader-producer', type },
    { target: 'arango-connector', type },
  ];
  const { symbols } = example;
  const train = [{ target: 'graph-builder', type: 'gnn_graph' }, { target: 'gnn-trainer', type: 'gnn_train', model_output: 'three_symbols' }];
  const trained = await site.request({ symbols: symbols.slice(0, 3), time_range: `${day(40)}:${day(2)}`, requests: [...load('api_candles_15m'), ...train] });
  for (let index = 0; index < 24; index += 1) {
    const pair = [symbols[index % 10], symbols[(index + 3) % 10]];
    await site.request({ symbols: pair, time_range: `${day(9 + index)}:${day(3)}`, requests: [...load(['api_candles_1h', 'api_candles_4h'][index % 2] ?? ''), train[0]] });
  }
  const dummy = (more: object) => ({ symbols: ['BTCUSDT'], time_range: `${day(2)}:${day(1)}`, requests: [{ target: 'dummy-service', type: 'dummy', ...more }] });
  const failed = await site.request(dummy({ fail_after: 3, simulate_loading: { steps: 9, step_ms: 200 } }));
  await site.command('publish', '--broker', 'workflows', '--type', 'io.streamforge.workflow.requested.v1', '--data', '{"symbols": "BTCUSDT"}');
  await site.command('publish', '--broker', 'workflows', '--type', 'io.streamforge.workflow.requested.v1', '--data', '{"symbols": ["BTCUSDT"], "time_range": "yesterday", "requests": []}');
  await site.ended(failed, TRAINING_MILLIS);
  await site.ended(trained, TRAINING_MILLIS);
  interface Told {
    predictions: { split: string }[];
  }
  const range = `from=${Date.now() - DAY}&to=${Date.now() + 30 * DAY}`;
  await until('live predictions', TRAINING_MILLIS, async () => {
    const { predictions } = await site.get<Told>(`/views/predictions?symbol=BTCUSDT&interval=5m&${range}`);
    return predictions.filter(({ split }) => split === 'live').length > 12 ? true : undefined;
  });
  for (let index = 0; index < 12; index += 1) await site.request(dummy({ simulate_loading: { steps: 20, step_ms: 500 } }));
  const { models } = await site.get<{ models: { name: string; latest: string }[] }>('/views/models');
  const other = models.find(({ name }) => name === 'three_symbols')?.latest ?? '';
  return [
    { name: 'workflows', path: '/workflows', there: '.row a' },
    { name: 'start', path: '/workflows?start=1', there: 'dialog textarea' },
    { name: 'workflow', path: `/workflows/${live}`, there: '.tasks .row' },
    { name: 'failed', path: `/workflows/${failed}?task=dummy-service-dummy-btcusdt-0000`, there: 'aside .logs' },
    { name: 'lineage', path: `/workflows/${trained}?tab=lineage`, there: '.lineage .row' },
    { name: 'market', path: '/market/BTCUSDT?interval=5m', there: '.predictions .row', use: (page) => page.locator('.ladder').getByText('checked').waitFor() },
    { name: 'graph', path: '/graph/ten_symbols', there: '[data-settled="true"] .canvas[data-nodes="10"]' },
    { name: 'models', path: `/models/ten_symbols?with=three_symbols%2F${other}`, there: '.cards.two .card:nth-child(2) .scores' },
    { name: 'platform', path: '/platform', there: '.starts tr' },
    { name: 'topic', path: '/platform/topics/market-data', there: '.messages .row', use: (page) => page.locator('.messages .row button').nth(2).click() },
    { name: 'dead-letters', path: '/platform/dead-letters', there: '.letters .row', use: (page) => page.locator('.letters .row button').first().click() },
  ];
}

async function take(shot: Shot): Promise<void> {
  await browser.visit(
    site.pages + shot.path,
    async (page) => {
      await page.locator(shot.there).first().waitFor();
      await shot.use?.(page);
      for (const [width, height] of [[1440, 900], [390, 844]] as const) {
        for (const colorScheme of ['light', 'dark'] as const) {
          await page.setViewportSize({ width, height });
          await page.emulateMedia({ colorScheme });
          // Charts draw what they were given in the next frames.
          await page.evaluate(() => new Promise((resolve) => setTimeout(() => requestAnimationFrame(resolve), 700)));
          await keep(page, `${shot.name}-${colorScheme}${width < 1_000 ? '-narrow' : ''}.webp`);
        }
      }
    },
  );
}

async function keep(page: Page, name: string): Promise<void> {
  const session = await page.context().newCDPSession(page);
  const { data } = await session.send('Page.captureScreenshot', { format: 'webp', quality: QUALITY });
  await session.detach();
  const picture = Buffer.from(data, 'base64');
  await writeFile(join(FOLDER, name), picture);
  console.log(`${name} ${Math.round(picture.length / 1_000)} kB`);
}
