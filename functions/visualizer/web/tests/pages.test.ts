/** What people do with the pages, in a real browser on a real platform. */
import { after, before, describe } from 'node:test';
import { accessibility } from './paths/accessibility';
import { graph } from './paths/graph';
import { hostile } from './paths/hostile';
import { market } from './paths/market';
import { models } from './paths/models';
import { platform } from './paths/platform';
import { recovery } from './paths/recovery';
import { workflows } from './paths/workflows';
import { Browser } from './support/browser';
import { Site } from './support/site';

describe('pages', { timeout: 600_000 }, () => {
  const site = new Site();
  const browser = new Browser();
  const world = { site, browser, trained: [] as string[], live: '' };
  before(async () => {
    await site.begin();
    await browser.begin();
    // Two trainings and a live market take a while; the tests begin beside them.
    const symbols = ['BTCUSDT', 'ETHUSDT', 'BNBUSDT'];
    const load = [
      { target: 'loader-producer', type: 'api_candles_15m' },
      { target: 'arango-connector', type: 'api_candles_15m' },
    ];
    const train = [...load, { target: 'graph-builder', type: 'gnn_graph' }, { target: 'gnn-trainer', type: 'gnn_train', model_output: 'pages' }];
    world.trained.push(await site.request({ symbols, time_range: '2024-05-01:2024-05-31', requests: train }));
    world.trained.push(await site.request({ symbols, time_range: '2024-05-02:2024-05-31', requests: train }));
    // The gap lies before what is trained on: no model learns across one.
    await site.request({ symbols: ['BTCUSDT'], time_range: '2024-04-15:2024-05-31', requests: load });
    const streams = ['ws_trades', 'ws_candles_5m', 'ws_orderbook'].map((type) => ({ target: 'loader-ws', type }));
    const history = { target: 'loader-producer', type: 'api_candles_5m' };
    world.live = await site.request({ symbols: ['BTCUSDT'], time_range: '2024-05-31:2024-06-01', requests: [...streams, history] });
  });
  after(async () => {
    await browser.end();
    await site.end();
  });
  workflows(world);
  platform(world);
  market(world);
  hostile(world);
  models(world);
  graph(world);
  accessibility(world);
  recovery(world);
});

export interface World {
  site: Site;
  browser: Browser;
  /** The workflows that train a model. */
  trained: string[];
  /** The workflow that keeps a market up to date. */
  live: string;
}
