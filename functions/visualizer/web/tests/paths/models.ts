/** Compare two models and promote one. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';

interface Models {
  models: { name: string; latest: string; versions: { version: string }[] }[];
}

export function models({ site, browser, trained }: World): void {
  describe('models', () => {
    it('compares two versions and promotes one', async () => {
      for (const id of trained) assert.equal(await site.ended(id, 240_000), 'finished');
      const own = async () => (await site.get<Models>('/views/models')).models.find(({ name }) => name === 'pages');
      const before = await own();
      const other = before?.versions.find(({ version }) => version !== before.latest)?.version ?? '';
      await browser.visit(`${site.pages}/models/pages`, async (page) => {
        await page.getByRole('checkbox', { name: `Compare with pages ${other}` }).check();
        await page.locator('.cards.two .card').nth(1).getByText('The network predicts').first().waitFor();
        assert.equal(await page.locator('.card .scores').count(), 8);
        const row = page.locator('.versions tr', { hasText: other });
        await row.getByRole('button', { name: 'Promote' }).click();
        const dialog = page.getByRole('dialog');
        assert.equal(await dialog.evaluate((shown) => shown.scrollWidth > shown.clientWidth), false, 'the question is not cut off');
        await page.getByRole('button', { name: 'Promote it' }).click();
        await row.getByText('in use').waitFor();
        const shown = await page.locator('.card h2').allTextContents();
        assert.deepEqual(shown, [`pages ${before?.latest}`, `pages ${other}`], 'what was compared stays');
      });
      assert.equal((await own())?.latest, other);
    });

    it('shows the graph that a model was trained on', async () => {
      await browser.visit(`${site.pages}/models/pages`, async (page) => {
        await page.locator('.card a').first().click();
        await page.locator('[data-settled="true"] .canvas[data-nodes="3"]').waitFor();
        await page.getByRole('table', { name: 'Symbols' }).getByText('ETHUSDT').waitFor();
      });
    });
  });
}
