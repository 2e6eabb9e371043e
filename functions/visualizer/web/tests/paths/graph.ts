/** Choose a symbol of a graph by keyboard and in the picture; go through the graphs over time. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { Page } from 'playwright-core';
import type { World } from '../pages.test';

const MARGIN = 64;

export function graph({ site, browser }: World): void {
  const settled = (page: Page) => page.locator('[data-settled="true"] .canvas[data-nodes="3"]').waitFor();
  describe('graph', () => {
    it('lists what it draws, and lets one choose by keyboard', async () => {
      await browser.visit(`${site.pages}/graph`, async (page) => {
        await settled(page);
        await page.getByRole('searchbox', { name: 'Find a symbol' }).fill('btc');
        const button = page.getByRole('table', { name: 'Symbols' }).getByRole('button', { name: 'BTCUSDT' });
        await button.focus();
        await page.keyboard.press('Enter');
        assert.equal(await button.getAttribute('aria-pressed'), 'true');
        const chosen = page.getByRole('complementary', { name: 'BTCUSDT' });
        await chosen.getByRole('table', { name: 'Neighbours of BTCUSDT' }).getByText('ETHUSDT').waitFor();
        await page.getByRole('button', { name: /^Edges/ }).click();
        await page.getByRole('table', { name: 'Edges' }).getByText('BTCUSDT – ').or(page.getByText(' – BTCUSDT')).first().waitFor();
        await chosen.getByRole('button', { name: 'Choose none' }).press('Enter');
        await chosen.waitFor({ state: 'detached' });
      });
    });

    it('lets one choose in the picture', async () => {
      await browser.visit(`${site.pages}/graph`, async (page) => {
        await settled(page);
        const box = await page.locator('.canvas').boundingBox();
        if (!box) throw new Error('there is no picture');
        // The topmost dot lies at the upper margin of the picture; where along it is for the pointer to find.
        let found = false;
        for (let x = 0; x < box.width && !found; x += 5) {
          await page.mouse.move(box.x + x, box.y + MARGIN);
          found = (await page.locator('.canvas.over').count()) > 0;
        }
        assert.ok(found, 'no dot is at the upper margin');
        await page.mouse.down();
        await page.mouse.up();
        await page.getByRole('complementary', { name: /USDT$/ }).waitFor();
      });
    });

    it('goes through the stored graphs by their time', async () => {
      await browser.visit(`${site.pages}/graph`, async (page) => {
        await settled(page);
        const which = page.getByRole('combobox', { name: 'Graph' });
        const before = await which.inputValue();
        const slider = page.getByRole('slider', { name: 'Time' });
        await slider.press((await slider.inputValue()) === '0' ? 'ArrowRight' : 'ArrowLeft');
        await page.waitForFunction((id) => document.querySelector<HTMLSelectElement>('.head select')?.value !== id, before);
        await settled(page);
        assert.match(page.url(), new RegExp(`/graph/${encodeURIComponent(await which.inputValue())}$`));
      });
    });
  });
}
