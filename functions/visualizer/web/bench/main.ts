/**
 * Measures the pages beside 10,000 workflows, 500 symbols, graphs of 500 nodes and more than a million candles.
 *
 * `STREAMFORGE=… npm run bench`; what is stored takes some minutes to come about: `KEEP=FOLDER` keeps it for the next run.
 */
import { loadavg, cpus } from 'node:os';
import { mkdir } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { Browser } from '../tests/support/browser';
import { Site, until, USUAL } from '../tests/support/site';
import { heap, moving, prepare, resident, seen, type Movement } from './probe';
import { GRAPHS, seed, SYMBOLS, workflows } from './seed';

const RUNS = Number(process.env['RUNS'] ?? 7);
const SCROLLS = 120;

const kept = process.env['KEEP'];
if (kept) await mkdir(kept, { recursive: true });
const site = new Site({ ...USUAL, symbols: SYMBOLS, speed: 1, outage: { from: '2020-01-01T00:00:00Z', to: '2020-01-01T01:00:00Z' } }, kept);
const browser = new Browser();

try {
  await site.begin();
  await seed(site);
  await browser.begin();
  await measure();
} finally {
  await browser.end();
  await site.end();
}

async function measure(): Promise<void> {
  const { queues } = await site.get<{ queues: { id: string }[] }>('/queues?limit=1');
  const [first] = queues;
  const { nodes, edges } = await site.get<{ nodes: unknown[]; edges: unknown[] }>(`/views/graphs/${GRAPHS[1]}`);
  console.log(`${cpus().length} cores, load ${loadavg()[0]?.toFixed(2)} at the start; ${await workflows(site)} workflows, ${SYMBOLS} symbols, a graph of ${nodes.length} nodes and ${edges.length} edges\n`);
  console.log('| what | minimum | median | maximum | unit | runs | load |\n|---|---|---|---|---|---|---|');
  row('resident memory of platform and workers before', 'MiB', [await resident(site.process)]);
  const pages: [string, string, string][] = [
    ['the list of workflows', '/workflows', '.row a'],
    ['one workflow', `/workflows/${first?.id}`, '.stage'],
    ['the list of symbols', '/market', '.symbols .row'],
    ['candles', '/market/BTCUSDT?interval=1m', '.market-main:not([data-bars="0"]) canvas'],
    ['a graph', `/graph/${GRAPHS[1]}`, `.canvas[data-nodes="${nodes.length}"]`],
    ['a graph that moves no more', `/graph/${GRAPHS[1]}`, `[data-settled="true"] .canvas[data-nodes="${nodes.length}"]`],
    ['models', '/models', '.empty, .card'],
    ['functions', '/platform', '.function'],
    ['messages of a topic', '/platform/topics/queue-events', '.messages .row'],
    ['dead letters', '/platform/dead-letters', '.letters'],
  ];
  for (const [what, path, wanted] of pages) {
    const times: number[] = [];
    for (let run = 0; run < RUNS; run += 1) await visit(path, wanted, async (page) => void times.push(await seen(page)));
    row(`first picture of ${what}`, 'ms', times);
  }
  await workflowsScrolled();
  await candlesScrolled();
  await graphMoved(nodes.length);
  row('resident memory of platform and workers after', 'MiB', [await resident(site.process)]);
}

/** The whole list is gone through, as fast as the wheel turns. */
async function workflowsScrolled(): Promise<void> {
  await visit('/workflows', '.row a', async (page) => {
    await seen(page);
    const before = await heap(page);
    await hover(page, '.rows-body');
    const count = async () => Number(((await page.getByTestId('count').textContent()) ?? '').replace(/\D/g, ''));
    movement('scrolling the workflows', await moving(page, () => turn(page, 0, 900)));
    // All the rest of it: what a page holds that saw every workflow.
    await until('the end of the list', 600_000, async () => {
      await turn(page, 0, 4_000);
      return (await page.getByTestId('count').textContent())?.endsWith('+') ? undefined : true;
    });
    row('workflows on the page then', '', [await count()]);
    movement('scrolling back through all of them', await moving(page, () => turn(page, 0, -4_000)));
    row('heap of the page, a hundred workflows', 'MiB', [before]);
    row('heap of the page, all of them', 'MiB', [await heap(page)]);
  });
}

async function candlesScrolled(): Promise<void> {
  await visit('/market/BTCUSDT?interval=1m', '.market-main:not([data-bars="0"]) canvas', async (page) => {
    await seen(page);
    const before = await heap(page);
    await hover(page, '.candles');
    movement('scrolling the candles', await moving(page, () => turn(page, -400, 0)));
    movement('zooming the candles out', await moving(page, () => turn(page, 0, 100)));
    const bars = Number(await page.locator('.market-main').getAttribute('data-bars'));
    row('heap of the page, a thousand candles', 'MiB', [before]);
    row(`heap of the page, ${bars} candles`, 'MiB', [await heap(page)]);
  });
}

async function graphMoved(nodes: number): Promise<void> {
  await visit(`/graph/${GRAPHS[1]}`, `[data-settled="true"] .canvas[data-nodes="${nodes}"]`, async (page) => {
    await seen(page);
    await hover(page, '.canvas');
    movement('zooming the graph', await moving(page, () => turn(page, 0, -60)));
    const slider = page.getByRole('slider', { name: 'Time' });
    const step = async () => {
      const other = await page.locator('.head select').inputValue();
      await slider.press(other === GRAPHS[1] ? 'ArrowLeft' : 'ArrowRight');
      await page.waitForFunction((before) => document.querySelector<HTMLSelectElement>('.head select')?.value !== before, other);
      await page.locator('[data-settled="false"]').waitFor();
      await page.locator('[data-settled="true"]').waitFor();
    };
    movement('going to another graph and back', await moving(page, async () => {
      await step();
      await step();
    }));
    row('heap of the page, the graph', 'MiB', [await heap(page)]);
  });
}

function visit(path: string, wanted: string, use: (page: Page) => Promise<void>): Promise<void> {
  return browser.visit(site.pages + path, use, [], {}, (page) => prepare(page, wanted));
}

async function hover(page: Page, selector: string): Promise<void> {
  const box = await page.locator(selector).first().boundingBox();
  if (!box) throw new Error(`${selector} is not on the page`);
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 3);
}

/** Turns the wheel, once a frame at most. */
async function turn(page: Page, x: number, y: number): Promise<void> {
  for (let turned = 0; turned < SCROLLS; turned += 1) {
    await page.mouse.wheel(x, y);
    await page.evaluate(() => new Promise(requestAnimationFrame));
  }
}

function movement(what: string, { frame, task, usual }: Movement): void {
  row(`${what}: frames, 95 of 100 below`, 'ms', [usual]);
  row(`${what}: longest frame`, 'ms', [frame]);
  row(`${what}: longest task, 0 for none over 50`, 'ms', [task]);
}

function row(what: string, unit: string, values: number[]): void {
  const ordered = values.toSorted((a, b) => a - b);
  const middle = ordered[Math.floor(ordered.length / 2)] ?? 0;
  const shown = [ordered[0] ?? 0, middle, ordered.at(-1) ?? 0].map((value) => value.toFixed(value < 100 && unit !== '' ? 1 : 0));
  console.log(`| ${what} | ${shown.join(' | ')} | ${unit} | ${values.length} | ${loadavg()[0]?.toFixed(2)} |`);
}
