/** The server is killed and comes back: the page says so, and nothing is lost or doubled on it. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';
import { until } from '../support/site';

interface Message {
  partition: number;
  offset: number;
}

/** What a browser says of a server that is away. */
const AWAY = [/Failed to load resource/, /ERR_/];

export function recovery({ site, browser }: World): void {
  describe('a server that is killed', () => {
    it('is told of, and a topic goes on without a gap or a repetition', async () => {
      await browser.visit(
        `${site.pages}/platform/topics/queue-events`,
        async (page) => {
          await page.locator('.messages .row').first().waitFor();
          await page.locator('.connection.live').waitFor();
          const body = { symbols: ['BTCUSDT'], time_range: '2024-05-01:2024-05-02', requests: [{ target: 'dummy-service', type: 'dummy', simulate_loading: { steps: 20, step_ms: 200 } }] };
          const id = await site.request(body);
          await page.locator('.messages .row', { hasText: id }).first().waitFor();
          await site.kill();
          await page.getByText('Connection lost, trying again').waitFor();
          await site.up();
          await page.locator('.connection.live').waitFor({ timeout: 60_000 });
          assert.equal(await site.ended(id, 120_000), 'finished');
          await page.getByLabel('Filter by type, subject or id').fill(id);
          const told = async () => {
            const { messages } = await site.get<{ messages: (Message & { event: { subject?: string } })[] }>('/views/topics/queue-events/messages?limit=500');
            return messages.filter(({ event }) => event.subject === id).map(({ partition, offset }) => `${partition}:${offset}`).sort();
          };
          const shown = () => page.locator('.messages .row > :nth-child(2)').allTextContents();
          await page.setViewportSize({ width: 1440, height: 3_000 });
          await until('all messages on the page', 20_000, async () => {
            const [there, here] = [await told(), (await shown()).sort()];
            return there.length > 0 && JSON.stringify(there) === JSON.stringify(here) ? true : undefined;
          });
        },
        AWAY,
      );
    });

    it('lets a workflow be watched to its end', async () => {
      const id = await site.request({
        symbols: ['BTCUSDT'],
        time_range: '2024-05-01:2024-05-02',
        requests: [{ target: 'dummy-service', type: 'dummy', simulate_loading: { steps: 60, step_ms: 250 } }],
      });
      await browser.visit(
        `${site.pages}/workflows/${id}`,
        async (page) => {
          await page.locator('.stage.loading').waitFor();
          await site.kill();
          await page.locator('.connection.lost').waitFor();
          await site.up();
          await page.locator('.head .status.finished').waitFor({ timeout: 120_000 });
        },
        AWAY,
      );
    });
  });
}
