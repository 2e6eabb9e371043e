/** A browser whose pages fail a test by any error, any violation of the policy, and any script of a message. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type BrowserContext, type Page } from 'playwright-core';

const FLAGS = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'];
const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export interface Sight {
  width?: number;
  height?: number;
}

export class Browser {
  #folder = '';
  #context: BrowserContext | undefined;

  async begin(): Promise<void> {
    this.#folder = await mkdtemp(join(tmpdir(), 'streamforge-browser-'));
    this.#context = await chromium.launchPersistentContext(this.#folder, {
      executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
      args: FLAGS,
      viewport: { width: 1440, height: 900 },
    });
    this.#context.setDefaultTimeout(60_000);
  }

  async end(): Promise<void> {
    await this.#context?.close();
    if (this.#folder !== '') await rm(this.#folder, { recursive: true, force: true });
  }

  /** Opens an address, once it is prepared, lets a test use it, and then fails for whatever went wrong on the page. */
  async visit(address: string, use: (page: Page) => Promise<void>, expected: RegExp[] = [], sight: Sight = {}, prepare?: (page: Page) => Promise<void>): Promise<void> {
    const page = await this.#context!.newPage();
    const wrong: string[] = [];
    const note = (text: string) => {
      if (!expected.some((pattern) => pattern.test(text))) wrong.push(text);
    };
    page.on('console', (message) => {
      if (message.type() === 'error') note(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => note(`uncaught: ${error.message}`));
    page.on('dialog', (dialog) => {
      wrong.push(`a script of a message ran: ${dialog.message()}`);
      void dialog.dismiss();
    });
    page.on('request', (request) => {
      if (new URL(request.url()).origin !== new URL(address).origin && !request.url().startsWith('data:')) wrong.push(`asked elsewhere: ${request.url()}`);
    });
    await page.addInitScript(() => {
      document.addEventListener('securitypolicyviolation', (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI} ${event.sourceFile}`));
    });
    await prepare?.(page);
    if (sight.width) await page.setViewportSize({ width: sight.width, height: sight.height ?? 900 });
    try {
      await page.goto(address);
      await use(page);
      assert.deepEqual(wrong, []);
    } finally {
      await page.close();
    }
  }
}

/** What axe finds that would keep people from using the page. */
export async function serious(page: Page): Promise<string[]> {
  await page.evaluate(AXE);
  return page.evaluate(async () => {
    const { axe } = window as unknown as { axe: typeof import('axe-core') };
    const { violations } = await axe.run(document, { resultTypes: ['violations'] });
    return violations
      .filter(({ impact }) => impact === 'serious' || impact === 'critical')
      .flatMap(({ id, nodes }) => nodes.slice(0, 3).map((node) => `${id}: ${node.target.join(' ')} ${node.failureSummary ?? ''}`));
  });
}
