/** What a page takes to be seen, where it stalls, and how much memory it and the server hold. */
import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';

declare global {
  interface Window {
    probe: { seen: number | undefined; frames: number[]; tasks: number[]; watch: boolean };
  }
}

/** Notes when what is wanted is painted, and from then on frames and long tasks. */
export async function prepare(page: Page, wanted: string): Promise<void> {
  // tsx names functions by a helper that a page does not have.
  await page.addInitScript('globalThis.__name = (named) => named');
  await page.addInitScript((selector) => {
    const probe: Window['probe'] = { seen: undefined, frames: [], tasks: [], watch: false };
    window.probe = probe;
    let before = 0;
    const look = () => {
      const now = performance.now();
      if (probe.watch && before > 0) probe.frames.push(now - before);
      before = now;
      if (probe.seen === undefined && document.querySelector(selector)) {
        // What is in the document now is painted when the next frame begins.
        requestAnimationFrame(() => (probe.seen = performance.now()));
      }
      requestAnimationFrame(look);
    };
    requestAnimationFrame(look);
    new PerformanceObserver((list) => {
      if (probe.watch) probe.tasks.push(...list.getEntries().map(({ duration }) => duration));
    }).observe({ type: 'longtask', buffered: false });
  }, wanted);
}

/** Milliseconds from the start of the navigation until the wanted was painted. */
export async function seen(page: Page): Promise<number> {
  await page.waitForFunction(() => window.probe.seen !== undefined);
  return page.evaluate(() => window.probe.seen ?? 0);
}

export interface Movement {
  /** Milliseconds of the longest frame and of the longest task; none of the latter is below 50. */
  frame: number;
  task: number;
  /** Milliseconds that 95 of 100 frames stay below. */
  usual: number;
}

/** How evenly frames come while something is done. */
export async function moving(page: Page, act: () => Promise<void>): Promise<Movement> {
  await page.evaluate(() => Object.assign(window.probe, { frames: [], tasks: [], watch: true }));
  await act();
  const { frames, tasks } = await page.evaluate(() => {
    window.probe.watch = false;
    return window.probe;
  });
  const ordered = frames.toSorted((a, b) => a - b);
  return { frame: ordered.at(-1) ?? 0, task: Math.max(0, ...tasks), usual: ordered[Math.floor(ordered.length * 0.95)] ?? 0 };
}

/** MiB of the heap of a page that are in use after its garbage is collected. */
export async function heap(page: Page): Promise<number> {
  const session = await page.context().newCDPSession(page);
  await session.send('HeapProfiler.collectGarbage');
  const { usedSize } = await session.send('Runtime.getHeapUsage');
  await session.detach();
  return usedSize / 2 ** 20;
}

/** MiB that a process and its children hold in memory. */
export async function resident(process: number): Promise<number> {
  const of = (path: string) => readFile(`/proc/${path}`, 'utf8').catch(() => '');
  const own = Number(/VmRSS:\s+(\d+)/.exec(await of(`${process}/status`))?.[1] ?? 0) / 1_024;
  const tasks = await of(`${process}/task/${process}/children`);
  const children = await Promise.all(tasks.split(' ').filter(Boolean).map((child) => resident(Number(child))));
  return children.reduce((sum, one) => sum + one, own);
}
