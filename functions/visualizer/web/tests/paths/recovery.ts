/** The server is killed and comes back: the pages say so, and nothing is lost or doubled on them. */
import { describe, it } from 'node:test';
import type { World } from '../pages.test';
import { until } from '../support/site';

interface Message {
  partition: number;
  offset: number;
  event: { subject?: string };
}

/** What a browser says of a server that is away. */
const AWAY = [/Failed to load resource/, /ERR_/];
const BODY = { symbols: ['BTCUSDT'], time_range: '2024-05-01:2024-05-02', requests: [{ target: 'dummy-service', type: 'dummy', simulate_loading: { steps: 40, step_ms: 250 } }] };

export function recovery({ site, browser }: World): void {
  describe('a server that is killed', () => {
    it('is told of; a topic goes on without a gap or a repetition, and a workflow is watched to its end', async () => {
      await browser.visit(
        `${site.pages}/platform/topics/queue-events`,
        async (topic) => {
          await topic.locator('.messages .row').first().waitFor();
          await topic.locator('.connection.live').waitFor();
          const id = await site.request(BODY);
          await topic.locator('.messages .row', { hasText: id }).first().waitFor();
          await browser.visit(
            `${site.pages}/workflows/${id}`,
            async (workflow) => {
              await workflow.locator('.stage.loading').waitFor();
              await site.kill();
              await workflow.locator('.connection.lost').waitFor();
              await topic.getByText('Connection lost, trying again').waitFor();
              await site.up();
              await topic.locator('.connection.live').waitFor();
              await workflow.locator('.head .status.finished').waitFor({ timeout: 120_000 });
            },
            AWAY,
          );
          await topic.getByLabel('Filter by type, subject or id').fill(id);
          await topic.setViewportSize({ width: 1440, height: 3_000 });
          const told = async () => {
            const { messages } = await site.get<{ messages: Message[] }>('/views/topics/queue-events/messages?limit=500');
            return messages.filter(({ event }) => event.subject === id).map(({ partition, offset }) => `${partition}:${offset}`).sort();
          };
          const shown = () => topic.locator('.messages .row > :nth-child(2)').allTextContents();
          await until('all messages on the page', 60_000, async () => {
            const [there, here] = [await told(), (await shown()).sort()];
            return there.length > 0 && JSON.stringify(there) === JSON.stringify(here) ? true : undefined;
          });
        },
        AWAY,
      );
    });
  });
}
