/** Start a workflow and watch it end; be told what is wrong with one; stop one; find why a task failed. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';

export function workflows({ site, browser }: World): void {
  describe('workflows', () => {
    it('starts one from the form and shows its end', async () => {
      await browser.visit(`${site.pages}/workflows`, async (page) => {
        await page.getByRole('button', { name: 'Start a workflow' }).click();
        const form = page.getByRole('dialog', { name: 'Start a workflow' });
        await form.getByLabel('Symbols').fill('XRPUSDT SOLUSDT');
        await form.getByLabel('From').fill('2024-05-10');
        await form.getByLabel('To, inclusive').fill('2024-05-12');
        await form.getByLabel('Interval').selectOption('1h');
        await form.getByRole('button', { name: 'Start' }).click();
        await page.waitForURL(/\/workflows\/wf-multi-api_candles_1h-20240510-/);
        await page.locator('.head .status.finished').waitFor({ timeout: 60_000 });
        assert.equal(await page.locator('.facts div', { hasText: 'Records' }).locator('dd').textContent(), '144');
        await page.locator('.stage.finished').nth(2).waitFor();
        // The list knows it, too, and says the same.
        const id = new URL(page.url()).pathname.split('/').at(-1) ?? '';
        await page.getByRole('link', { name: 'Workflows' }).click();
        await page.locator('.row', { hasText: id }).locator('.status.finished').waitFor();
      });
    });

    it('shows the error of the server at the field that it names', async () => {
      await browser.visit(
        `${site.pages}/workflows?start=1`,
        async (page) => {
          const form = page.getByRole('dialog');
          await form.getByLabel('Symbols').fill('BTCUSDT, nonsense!');
          await form.getByRole('button', { name: 'Start' }).click();
          await form.locator('[role=alert][data-field="symbols[1]"]').waitFor();
          assert.equal(await form.getByLabel('Symbols').getAttribute('aria-invalid'), 'true');
          const chosen = () =>
            form.locator('textarea').evaluate((area: HTMLTextAreaElement) => area.value.slice(area.selectionStart, area.selectionEnd));
          assert.equal(await chosen(), '"nonsense!"');
          const text = JSON.stringify({ symbols: ['BTCUSDT'], time_range: '2024-05-01:2024-05-02', requests: [{ target: 'loader-producer', type: 'api_candles_7m' }] });
          await form.locator('textarea').fill(text);
          await form.getByRole('button', { name: 'Start' }).click();
          await form.locator('[role=alert][data-field="requests[0].type"]').waitFor();
          assert.equal(await chosen(), '"api_candles_7m"');
        },
        [/status of 422/],
      );
    });

    it('stops one', async () => {
      const id = await site.request({
        symbols: ['BTCUSDT'],
        time_range: '2024-05-01:2024-05-02',
        requests: [{ target: 'dummy-service', type: 'dummy', simulate_loading: { steps: 600, step_ms: 500 } }],
      });
      await browser.visit(`${site.pages}/workflows/${id}`, async (page) => {
        await page.locator('.stage.loading').waitFor();
        await page.getByRole('button', { name: 'Stop' }).click();
        await page.getByRole('button', { name: 'Stop the workflow' }).click();
        await page.locator('.head .status.stopped').waitFor();
        await page.getByRole('button', { name: 'Run again' }).waitFor();
      });
      assert.equal(await site.ended(id, 1_000), 'stopped');
    });

    it('shows why a task failed, its logs, and runs the workflow again', async () => {
      const id = await site.request({
        symbols: ['BTCUSDT'],
        time_range: '2024-05-01:2024-05-02',
        requests: [{ target: 'dummy-service', type: 'dummy', fail_after: 2, simulate_loading: { steps: 5, step_ms: 50 } }],
      });
      await browser.visit(`${site.pages}/workflows?status=error`, async (page) => {
        await page.getByRole('link', { name: id }).click();
        await page.getByTestId('why').waitFor();
        assert.match((await page.getByTestId('why').textContent()) ?? '', /told to fail after 2 steps/);
        await page.getByRole('button', { name: 'dummy-service-dummy-btcusdt-0000' }).click();
        assert.match((await page.getByTestId('task-why').textContent()) ?? '', /told to fail after 2 steps/);
        await page.locator('aside .logs', { hasText: 'task begun' }).waitFor();
        await page.getByRole('button', { name: 'Lineage' }).click();
        await page.locator('.lineage .row', { hasText: 'control.start' }).first().waitFor();
        await page.getByRole('button', { name: 'Run again' }).click();
        await page.waitForURL((url) => url.pathname.startsWith('/workflows/wf-') && !url.pathname.endsWith(id));
        await page.locator('.head .status.failed').waitFor();
      });
    });

    it('pages through thousands quickly', async () => {
      const body = { symbols: ['BTCUSDT'], time_range: '2024-05-01:2024-05-02', requests: [{ target: 'dummy-service', type: 'dummy', noop: true }] };
      const most = Number(process.env['WORKFLOWS'] ?? 150);
      for (let begun = 0; begun < most; begun += 25) await Promise.all(Array.from({ length: Math.min(25, most - begun) }, () => site.request(body)));
      await browser.visit(`${site.pages}/workflows`, async (page) => {
        await page.locator('.row a').first().waitFor();
        const inDocument = await page.locator('.row').count();
        assert.ok(inDocument < 80, `${inDocument} rows are in the document`);
        const shown = async () => Number(((await page.getByTestId('count').textContent()) ?? '').replace(/\D/g, ''));
        assert.equal(await shown(), 100);
        await page.locator('.rows-body').evaluate((body) => body.scrollTo(0, body.scrollHeight));
        await page.waitForFunction(() => Number((document.querySelector('[data-testid=count]')?.textContent ?? '').replace(/\D/g, '')) > 150);
        const ids = await page.locator('.row a').allTextContents();
        assert.equal(new Set(ids).size, ids.length);
      });
      for (const { id } of (await site.get<{ queues: { id: string }[] }>('/queues?limit=500&status=loading')).queues) {
        if (id.includes('-dummy-')) await fetch(`${site.api}/queues/stop?queue_id=${id}`, { method: 'POST' });
      }
    });
  });
}
