/** Find a gap; see the market move; scroll into the past. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';
import { OUTAGE, until } from '../support/site';

export function market({ site, browser }: World): void {
  describe('market', () => {
    it('finds a gap', async () => {
      await until('the klines', 60_000, async () => ((await site.get<{ rows: unknown[] }>('/views/klines?symbol=BTCUSDT&interval=15m&limit=5000')).rows.length > 4_400 ? true : undefined));
      await browser.visit(`${site.pages}/market/BTCUSDT?interval=15m`, async (page) => {
        await page.getByRole('button', { name: /^Gaps/ }).click();
        const hole = page.locator('.holes .row', { hasText: 'klines_15m' }).filter({ hasText: OUTAGE.from.slice(0, 10) });
        await hole.first().waitFor();
        assert.match((await hole.first().textContent()) ?? '', /missing/);
        await hole.first().getByRole('button').click();
        // The bars around it are read, and the chart says that a gap is in it.
        await page.waitForFunction(() => Number(document.querySelector<HTMLElement>('.market-main')?.dataset['gaps']) > 0);
        assert.match((await page.locator('.candles').getAttribute('aria-label')) ?? '', /1 gaps/);
      });
    });

    it('moves with the market: candles, trades and an order book with the checksum of the feed', async () => {
      await browser.visit(`${site.pages}/market/BTCUSDT?interval=5m`, async (page) => {
        await page.locator('.tape .row').first().waitFor({ timeout: 60_000 });
        const [price, last] = [await page.getByTestId('price').textContent(), await page.locator('.market-main').getAttribute('data-last')];
        await page.waitForFunction((before) => document.querySelector('[data-testid=price]')?.textContent !== before, price);
        await page.waitForFunction((before) => document.querySelector<HTMLElement>('.market-main')?.dataset['last'] !== before, last, { timeout: 90_000 });
        await page.locator('.ladder').getByText('checked').waitFor({ timeout: 60_000 });
        const prices = async (side: string) => (await page.locator(`.ladder .${side} .price`).allTextContents()).map(Number);
        const [bids, asks] = [await prices('bids'), await prices('asks')];
        assert.deepEqual(bids, bids.toSorted((a, b) => b - a));
        assert.deepEqual(asks, asks.toSorted((a, b) => b - a));
        assert.ok((bids[0] ?? 0) < (asks.at(-1) ?? 0), 'the best bid is below the best ask');
      });
    });

    it('reads history as one scrolls to it', async () => {
      await browser.visit(`${site.pages}/market/BTCUSDT?interval=15m`, async (page) => {
        await page.waitForFunction(() => Number(document.querySelector<HTMLElement>('.market-main')?.dataset['bars']) >= 1_000);
        const chart = await page.locator('.candles canvas').first().boundingBox();
        if (!chart) throw new Error('there is no chart');
        await page.mouse.move(chart.x + chart.width / 2, chart.y + 100);
        // Zooming out brings the oldest bars into sight.
        await until('older bars', 30_000, async () => {
          await page.mouse.wheel(0, 600);
          return Number(await page.locator('.market-main').getAttribute('data-bars')) > 2_000 ? true : undefined;
        });
      });
    });
  });
}
