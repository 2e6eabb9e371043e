/** Nothing on any page keeps people from using it, light or dark, wide or narrow, by keyboard alone. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';
import { serious } from '../support/browser';

export function accessibility(world: World): void {
  const { site, browser } = world;
  const pages: [string, () => string, string][] = [
    ['workflows', () => '/workflows', '.row a'],
    ['the form', () => '/workflows?start=1', 'dialog textarea'],
    ['a workflow', () => `/workflows/${world.live}`, '.stage'],
    ['its lineage', () => `/workflows/${world.trained[0]}?tab=lineage`, '.lineage .row'],
    ['symbols', () => '/market', '.symbols .row'],
    ['a market with its gaps', () => '/market/BTCUSDT?interval=5m&tab=gaps', '.tape .row'],
    ['a graph', () => '/graph', '[data-settled="true"] .canvas[data-nodes="3"]'],
    ['models', () => '/models', '.card .scores'],
    ['functions', () => '/platform', '.function'],
    ['topics', () => '/platform/topics', 'tbody tr'],
    ['a topic', () => '/platform/topics/queue-events', '.messages .row'],
    ['dead letters', () => '/platform/dead-letters', '.letters'],
  ];
  describe('for everybody', () => {
    for (const [name, path, there] of pages) {
      it(`axe finds nothing serious in ${name}, light and dark, wide and narrow`, async () => {
        await browser.visit(
          site.pages + path(),
          async (page) => {
            await page.locator(there).first().waitFor();
            for (const width of [1440, 390]) {
              await page.setViewportSize({ width, height: 900 });
              for (const colorScheme of ['light', 'dark'] as const) {
                await page.emulateMedia({ colorScheme });
                assert.deepEqual(await serious(page), [], `${width} ${colorScheme}`);
              }
              const tooWide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
              assert.ok(tooWide <= 0, `it is ${tooWide} pixels wider than a screen of ${width}`);
            }
          },
        );
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
