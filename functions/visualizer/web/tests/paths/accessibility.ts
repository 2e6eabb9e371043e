/** Nothing on any page keeps people from using it, light or dark, wide or narrow, by keyboard alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';
import { serious } from '../support/browser';

export function accessibility(world: World): void {
  const { site, browser } = world;
  const pages = (): [string, string][] => [
    ['/workflows', '.row a'],
    ['/workflows?start=1', 'dialog textarea'],
    [`/workflows/${world.live}`, '.stage'],
    [`/workflows/${world.trained[0]}?tab=lineage`, '.lineage .row'],
    ['/market', '.symbols .row'],
    ['/market/BTCUSDT?interval=5m&tab=gaps', '.tape .row'],
    ['/graph', '.node'],
    ['/models', '.card .scores'],
    ['/platform', '.function'],
    ['/platform/topics', 'tbody tr'],
    ['/platform/topics/queue-events', '.messages .row'],
    ['/platform/dead-letters', '.letters'],
  ];
  describe('for everybody', () => {
    for (const scheme of ['light', 'dark'] as const) {
      it(`axe finds nothing serious, ${scheme}`, async () => {
        for (const [path, there] of pages()) {
          const width = scheme === 'light' ? 1440 : 390;
          await browser.visit(
            site.pages + path,
            async (page) => {
              await page.locator(there).first().waitFor();
              assert.deepEqual(await serious(page), [], path);
              const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
              assert.ok(tooWide <= 0, `${path} is ${tooWide} pixels wider than a screen of ${width}`);
            },
            [/views\/book/],
            { scheme, width },
          );
        }
      });
    }

    it('works by keyboard alone, and keeps the theme that one chose', async () => {
      await browser.visit(`${site.pages}/platform`, async (page) => {
        await page.keyboard.press('Tab');
        assert.equal(await page.evaluate(() => document.activeElement?.textContent), 'To the content');
        await page.locator('.bar a', { hasText: 'Workflows' }).focus();
        await page.keyboard.press('Enter');
        await page.locator('.row a').first().focus();
        await page.keyboard.press('Enter');
        await page.locator('.stage').first().waitFor();
        const ground = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
        const before = await ground();
        await page.getByLabel('Theme').selectOption('dark');
        assert.notEqual(await ground(), before);
        await page.reload();
        await page.locator('.stage').first().waitFor();
        assert.notEqual(await ground(), before);
        await page.getByLabel('Theme').selectOption('system');
      });
    });
  });
}
