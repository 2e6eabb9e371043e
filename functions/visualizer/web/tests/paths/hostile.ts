/** A symbol, a message and a workflow that are named like a script run nothing. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { World } from '../pages.test';

const NAME = '<img src=x onerror=alert(1)>';

export function hostile({ site, browser }: World): void {
  describe('names that are scripts', () => {
    it('are shown as what they are', async () => {
      const publish = ['publish', '--broker', 'workflows', '--type', 'io.streamforge.workflow.requested.v1'];
      await site.command(...publish, '--id', 'hostile', '--subject', NAME, '--data', JSON.stringify({ [NAME]: NAME, symbols: [NAME] }));
      const told = ['publish', '--broker', 'queue-events', '--type', 'io.streamforge.test.noted.v1'];
      await site.command(...told, '--id', 'hostile-message', '--subject', NAME, '--data', JSON.stringify({ [NAME]: NAME }));
      const notFound = [/status of (404|422)/];
      await browser.visit(`${site.pages}/platform/dead-letters`, async (page) => {
        await page.locator('.letters .row', { hasText: NAME }).first().waitFor();
        await page.locator('.letters .row', { hasText: NAME }).first().getByRole('button', { name: 'workflow.requested' }).click();
        await page.locator('aside dd', { hasText: NAME }).first().waitFor();
        assert.equal(await page.locator('main img').count(), 0);
      });
      await browser.visit(`${site.pages}/platform/topics/queue-events`, async (page) => {
        await page.locator('.messages .row', { hasText: NAME }).first().getByRole('button').click();
        await page.locator('aside .code', { hasText: NAME }).waitFor();
        assert.equal(await page.locator('main img').count(), 0);
      });
      for (const path of ['workflows', 'market', 'graph', 'models']) {
        await browser.visit(
          `${site.pages}/${path}/${encodeURIComponent(NAME)}`,
          async (page) => {
            await page.getByRole('alert').first().waitFor();
            assert.equal(await page.locator('main img').count(), 0);
            assert.ok((await page.title()).startsWith(NAME));
          },
          notFound,
        );
      }
      await browser.visit(
        `${site.pages}/workflows?start=1`,
        async (page) => {
          await page.getByLabel('Symbols').fill(NAME.replaceAll(' ', '\u00a0'));
          await page.getByRole('button', { name: 'Start' }).last().click();
          await page.getByRole('alert').waitFor();
          assert.equal(await page.locator('dialog img').count(), 0);
        },
        notFound,
      );
    });
  });
}
