/** See replicas rise and fall; replay a dead letter; read a topic. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';

export function platform({ site, browser }: World): void {
  describe('platform', () => {
    it('replays a dead letter', async () => {
      const data = JSON.stringify({ symbols: 'none', letter: 1 });
      await site.command('publish', '--broker', 'workflows', '--type', 'io.streamforge.workflow.requested.v1', '--id', 'letter-to-replay', '--data', data);
      await browser.visit(`${site.pages}/platform/dead-letters`, async (page) => {
        const letters = page.locator('.letters .row', { hasText: 'workflow.requested' });
        await letters.first().waitFor();
        const before = await letters.count();
        await letters.first().getByRole('button', { name: 'workflow.requested' }).click();
        await page.getByRole('complementary', { name: 'Dead letter' }).getByText('letter-to-replay').first().waitFor();
        await letters.first().getByRole('button', { name: 'Replay' }).click();
        await page.getByText('Sent again').first().waitFor();
        // The cause was not mended: it comes back, as another letter.
        await page.waitForFunction((count) => document.querySelectorAll('.letters .row').length > count, before);
      });
    });

    it('shows replicas that rise and fall', async () => {
      const id = await site.request({
        symbols: ['BTCUSDT'],
        time_range: '2024-05-01:2024-05-02',
        requests: [{ target: 'dummy-service', type: 'dummy', simulate_loading: { steps: 4, step_ms: 250 } }],
      });
      await browser.visit(`${site.pages}/platform`, async (page) => {
        const card = page.locator('[data-function="dummy-service"]');
        await page.waitForFunction(() => Number(document.querySelector<HTMLElement>('[data-function="dummy-service"]')?.dataset['replicas']) > 0);
        assert.equal(await site.ended(id, 30_000), 'finished');
        await page.waitForFunction(() => document.querySelector<HTMLElement>('[data-function="dummy-service"]')?.dataset['replicas'] === '0', undefined, { timeout: 90_000 });
        assert.ok(Number(await card.getAttribute('data-most')) > 0);
        await card.locator('.starts tr').first().waitFor();
      });
    });

    it('shows a message of a topic whole', async () => {
      await browser.visit(`${site.pages}/platform/topics`, async (page) => {
        await page.getByRole('link', { name: 'queue-events' }).click();
        await page.locator('.messages .row button').first().click();
        const shown = await page.locator('aside .code').textContent();
        assert.match(JSON.parse(shown ?? '{}').type, /^io\.streamforge\./);
      });
    });
  });
}
