/** What the pages compute without a browser or a server. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { addNewer, addOlder, fold, holes, length, merge, mergeGaps, MOST_BARS, type Bar, type Held } from '../src/market/bars';
import { Book, crc32, rungs } from '../src/market/book';
import { band, hits, likeliest, type Prediction } from '../src/market/prediction';
import { Links } from '../src/links';
import { extent, parse as parseChosen, ranking } from '../src/models/card';
import { begun, bySize, outline, place, type Placed } from '../src/graph/layout';
import { insert } from '../src/platform/messages';
import { add, path, steps } from '../src/platform/sample';
import { Reader, type Message } from '../src/sse';
import { address, parse as parsePlace } from '../src/shell/router';
import { decimal, digits, duration, places } from '../src/format';
import { arrange } from '../src/workflows/cause';
import { boxes, hasFailed, lines, tasks, withReason, type Stage, type Workflow } from '../src/workflows/document';
import { inForm, locate, request, text, type Draft } from '../src/workflows/draft';
import { plain } from '../src/workflows/logline';
import { append, NOTHING, partsOf, renew, rows, type Answer } from '../src/workflows/pages';
import type { Summary } from '../src/workflows/document';

describe('server-sent events', () => {
  const read = (pieces: string[]) => {
    const all: Message[] = [];
    const reader = new Reader((message) => all.push(message));
    for (const piece of pieces) reader.feed(piece);
    return all;
  };
  const stream = '\uFEFF: hello\nid: 0.0\n\nevent: a\ndata: 1\r\ndata:2\r\nid: 1.0\r\n\r\n: still here\n\ndata\n\ndata: cut';
  const whole = [
    { id: '0.0', event: 'message', data: '' },
    { id: '1.0', event: 'a', data: '1\n2' },
    { id: undefined, event: 'message', data: '' },
  ];

  it('are the same however the stream is cut', () => {
    assert.deepEqual(read([stream]), whole);
    assert.deepEqual(read([...stream]), whole);
    for (let cut = 1; cut < stream.length; cut += 1) assert.deepEqual(read([stream.slice(0, cut), stream.slice(cut)]), whole);
  });
});

describe('connections', () => {
  it('are lost if one of them is, and live again when all stand', () => {
    const links = new Links();
    assert.equal(links.state, 'none');
    const [one, other] = [links.add(), links.add()];
    one.isUp();
    assert.equal(links.state, 'live');
    other.isDown();
    assert.equal(links.state, 'lost');
    other.remove();
    assert.equal(links.state, 'live');
  });
});

describe('bars', () => {
  const bar = (time: number, close = 1): Bar => ({ time, open: 1, high: 2, low: 0.5, close, volume: 1 });

  it('are merged in order, each once, the fresh one right', () => {
    const merged = merge([bar(0), bar(60), bar(120)], [bar(60, 9), bar(180)]);
    assert.deepEqual(merged.map(({ time, close }) => [time, close]), [[0, 1], [60, 9], [120, 1], [180, 1]]);
    assert.deepEqual(merge([bar(120)], [bar(0), bar(60)]).map(({ time }) => time), [0, 60, 120]);
  });

  it('have holes where the server says so', () => {
    assert.equal(length('15m'), 900_000);
    assert.deepEqual(holes({ from: 0, to: 1_800_000, missing: 3 }, 900_000), [0, 900_000, 1_800_000]);
    const gap = (from: number) => ({ from, to: from + 1, missing: 1 });
    // A gap of the range that was read again and is not told of any more is closed.
    assert.deepEqual(mergeGaps([gap(10), gap(50)], [gap(70)], 40), [gap(10), gap(70)]);
  });

  it('are held as a stretch that moves along the series and never grows too long', () => {
    const stretch = (from: number, count: number) => Array.from({ length: count }, (_, index) => bar((from + index) * 60_000));
    const ends = ({ bars, earlier, later }: Held) => [bars[0]!.time / 60_000, bars.at(-1)!.time / 60_000, earlier, later];
    const newest: Held = { bars: stretch(30_000, 1_000), gaps: [], earlier: true, later: false };
    const past = addOlder(newest, { bars: stretch(30_000 - MOST_BARS, MOST_BARS), gaps: [], earlier: true });
    assert.deepEqual([past.bars.length, ends(past)], [MOST_BARS, [30_000 - MOST_BARS, 29_999, true, true]]);
    const back = addNewer(past, { bars: stretch(30_000, 1_000), gaps: [], earlier: true }, false);
    assert.deepEqual([back.bars.length, ends(back)], [MOST_BARS, [31_000 - MOST_BARS, 30_999, true, false]]);
    assert.deepEqual(ends(addOlder(newest, { bars: stretch(0, 10), gaps: [], earlier: false })), [0, 30_999, false, false]);
    // What lies behind the last bar is kept, for it tells where the next one is.
    const gaps = [{ from: 31_000 * 60_000, to: 40_000 * 60_000, missing: 9_000 }];
    assert.deepEqual(addNewer(newest, { bars: [], gaps, earlier: true }, true).gaps, gaps);
  });

  it('form from trades, and never again once they are closed', () => {
    const step = 60_000;
    const trade = (time: number, price: number) => ({ time, price, quantity: 1 });
    let forming = fold([bar(0, 7)], undefined, trade(59_000, 100), step);
    assert.equal(forming, undefined);
    forming = fold([bar(0, 7)], forming, trade(61_000, 8), step);
    forming = fold([bar(0, 7)], forming, trade(62_000, 5), step);
    assert.deepEqual(forming, { time: 60_000, open: 7, high: 8, low: 5, close: 5, volume: 2 });
  });
});

describe('order book', () => {
  it('has the checksum that the feed computes', () => {
    assert.equal(crc32('123456789'), 0xcbf43926);
    const book = new Book();
    const update = (U: number, u: number, b: [string, string][], a: [string, string][]) => ({ U, u, b, a });
    book.apply({ snapshot: { last_update_id: 5, bids: [['9', '1'], ['8', '2']], asks: [['10', '1']] }, updates: [update(6, 7, [['9', '0'], ['8.5', '3']], [['11', '4']])] });
    assert.deepEqual(book.bids(), [['8.5', '3'], ['8', '2']]);
    assert.equal(book.trust, 'whole');
    book.apply({ updates: [update(8, 8, [], [])], checksum: crc32('8.5:3;10:1;8:2;11:4;') });
    assert.equal(book.isChecked, true);
    book.apply({ updates: [update(8, 8, [['1', '1']], [])] });
    assert.equal(book.bids().length, 2, 'an update that was gone through changes nothing');
    book.apply({ updates: [update(12, 12, [['7', '1']], [])] });
    assert.equal(book.trust, 'broken');
    assert.deepEqual(rungs(book.bids(), 2).map(({ sum }) => sum), [3, 5]);
  });

  it('that is partial lets go of levels behind the best price', () => {
    const book = new Book();
    book.apply({ updates: [{ U: 1, u: 1, b: [['9', '1']], a: [['10', '1']] }], best: [['9', '1'], ['10', '1']] });
    book.apply({ updates: [{ U: 2, u: 2, b: [['5', '1']], a: [] }], best: [['6', '2'], ['7', '1']] });
    assert.deepEqual([book.trust, book.bids(), book.asks()], ['partial', [['6', '2'], ['5', '1']], [['7', '1'], ['10', '1']]]);
  });
});

describe('predictions', () => {
  const prediction = (open: number, up: number, came?: 'up' | 'down'): Prediction => ({
    model: 'm', version: 'v', symbol: 'S', interval: '1m', horizon: 4, split: 'live', open_time: open, volatility: 0.01,
    probabilities: { down: (1 - up) / 2, sideways: (1 - up) / 2, up }, ...(came ? { realised_class: came } : {}),
  });

  it('make a band where the horizon ends', () => {
    const bars = [{ time: 0, open: 1, high: 1, low: 1, close: 100, volume: 1 }];
    const [point] = band([prediction(0, 0.5), prediction(60_000, 0.5)], bars, 60_000);
    assert.equal(point?.time, 240_000);
    assert.ok(Math.abs((point?.high ?? 0) - 100 * Math.exp(0.02)) < 1e-9);
  });

  it('are right when the likeliest class came', () => {
    const all = [prediction(0, 0.8, 'up'), prediction(1, 0.8, 'down'), prediction(2, 0.8)];
    assert.equal(likeliest(prediction(0, 0.8)), 'up');
    assert.deepEqual(hits(all), { right: 1, known: 2 });
  });
});

describe('list of workflows', () => {
  const row = (id: string, status: Summary['status'] = 'loading') => ({ id, status }) as Summary;
  const answer = (ids: string[], next: string | null): Answer => ({ queues: ids.map((id) => row(id)), next_cursor: next });
  const ids = (read: typeof NOTHING) => rows(read).map(({ id }) => id).join('');

  it('keeps what new workflows push out of the newest page', () => {
    let read = append(NOTHING, undefined, answer(['e', 'd'], 'd'));
    read = append(read, 'd', answer(['c', 'b'], 'b'));
    assert.equal(ids(read), 'edcb');
    read = renew(read, 0, answer(['f', 'e'], 'e'), undefined);
    assert.equal(ids(read), 'fedcb');
    assert.equal(read.next, 'b');
    assert.deepEqual(partsOf(read, 3, 4), [1]);
  });

  it('begins anew when nothing of the newest page is left', () => {
    const read = renew(append(NOTHING, undefined, answer(['b', 'a'], 'a')), 0, answer(['z', 'y'], 'y'), undefined);
    assert.deepEqual([ids(read), read.next], ['zy', 'y']);
  });

  it('ignores an answer that came twice', () => {
    const read = append(append(NOTHING, undefined, answer(['b'], 'b')), 'b', answer(['a'], null));
    assert.equal(ids(append(read, 'b', answer(['a'], null))), 'ba');
  });
});

describe('request of the form', () => {
  const draft: Draft = { symbols: 'BTCUSDT, ETHUSDT', from: '2024-06-01', to: '2024-06-30', interval: '15m', model: '', kinds: new Set(['candles', 'graph']) };

  it('is the JSON that is shown', () => {
    assert.deepEqual(JSON.parse(text(draft)), request(draft));
    assert.deepEqual(request(draft).requests.map(({ type }) => type), ['api_candles_15m', 'api_candles_15m', 'gnn_graph']);
  });

  it('has a place for each field that the server names', () => {
    const json = text(draft);
    const at = (field: string) => {
      const found = locate(json, field);
      return found && json.slice(found.from, found.to);
    };
    assert.equal(at('symbols[1]'), '"ETHUSDT"');
    assert.equal(at('requests[2].type'), '"gnn_graph"');
    assert.match(at('requests[2].interval') ?? '', /gnn_graph/);
    assert.equal(locate('{', 'symbols[1]'), undefined);
    assert.equal(inForm('time_range'), 'range');
  });
});

describe('stages', () => {
  const stage = (name: string, after: string[], work: Stage['work'] = 'compute') => ({ name, after, work }) as Stage;
  const stages = [stage('load', []), stage('store', [], { store: 'load' }), stage('graph', ['load', 'store']), stage('train', ['load', 'store', 'graph'])];

  it('stand behind those that they wait for', () => {
    assert.deepEqual(boxes(stages).map(({ column }) => column), [0, 1, 2, 3]);
    assert.deepEqual(lines(stages), [{ from: 'load', to: 'store' }, { from: 'store', to: 'graph' }, { from: 'graph', to: 'train' }]);
    assert.equal(boxes([stage('a', ['b']), stage('b', ['a'])]).length, 2);
  });
});

describe('a workflow that failed', () => {
  it('has its reason at the task that it failed by, before all others', () => {
    const stages = [{ name: 's', tasks: [{ id: 'a', state: 'started' }, { id: 'b', state: 'started' }] }];
    const workflow = withReason({ error_message: 'task `b` failed: told to', stages } as unknown as Workflow);
    const [first, second] = tasks(workflow);
    assert.deepEqual([first?.task.id, first?.task.error_message, second && hasFailed(second.task)], ['b', 'told to', false]);
  });
});

describe('lineage', () => {
  const event = (id: string, cause?: string) => ({ id, type: 't', source: 's', topic: 'q', partition: 0, offset: 0, ...(cause ? { cause } : {}) });

  it('shows each event once, below its cause', () => {
    const shown = arrange([event('a'), event('b', 'a'), event('c', 'b'), event('b', 'a'), event('d', 'gone'), event('x', 'y'), event('y', 'x')]);
    assert.deepEqual(shown.map(({ event: { id }, depth }) => `${id}${depth}`), ['a0', 'b1', 'c2', 'b1', 'd0', 'x0', 'y1']);
  });
});

describe('messages', () => {
  it('are held once each, newest first', () => {
    const told = (partition: number, offset: number, timestamp: number) => ({ partition, offset, timestamp, event: {} });
    const held = insert([], [told(0, 1, 10), told(1, 1, 20)], 3);
    const more = insert(held, [told(0, 1, 10), told(0, 2, 30), told(0, 3, 30)], 3);
    assert.deepEqual(more.map(({ partition, offset }) => `${partition}:${offset}`), ['0:3', '0:2', '1:1']);
    assert.equal(insert(more, [told(0, 2, 30)], 3), more);
  });
});

describe('samples', () => {
  it('are added once, and have a hole while nobody sampled', () => {
    const sample = (at: number, replicas: number) => ({ at, functions: { f: [replicas, 0] as [number, number] } });
    const held = add([sample(1_000, 1)], [sample(1_000, 1), sample(2_000, 2), sample(20_000, 0)]);
    assert.equal(held.length, 3);
    // What is streamed may come before the samples of earlier that were asked for.
    assert.deepEqual(add([sample(2_000, 2)], [sample(1_000, 1), sample(2_000, 2)]).map(({ at }) => at), [1_000, 2_000]);
    assert.deepEqual(steps(held, 'f', 0).map(({ value }) => value), [1, 2, undefined, 0]);
    assert.equal(path(steps(held, 'f', 0), 0, 20_000, 2, 100, 20).line.match(/M/g)?.length, 2);
    // What stays as it is is drawn up to the hole behind it.
    const still = [1_000, 2_000, 3_000, 20_000].map((at) => sample(at, 1));
    assert.equal(path(steps(still, 'f', 0), 0, 20_000, 2, 100, 20).line, 'M5.0 10.5H15.0V10.5M100.0 10.5');
    // Five seconds are no hole where samples are as far apart.
    const slow = [5_000, 10_000, 20_000].map((at) => sample(at, 1));
    assert.equal(steps(slow, 'f', 0).length, 3);
  });
});

describe('scores', () => {
  it('are ranked by what is better, on one scale', () => {
    const score = (mean: number) => ({ mean, spread: 1, windows: [mean] });
    const scores = { a: score(1), b: score(3) };
    assert.deepEqual(ranking(scores, true).map(({ name }) => name), ['b', 'a']);
    assert.deepEqual(ranking(scores, false).map(({ name }) => name), ['a', 'b']);
    const [low, high] = extent([scores]);
    assert.ok(low < 0 && high > 4);
    assert.deepEqual(parseChosen('m/v'), { name: 'm', version: 'v' });
    assert.equal(parseChosen('m'), undefined);
  });
});

describe('graph', () => {
  const node = (symbol: string) => ({ symbol, observations: 1, mean_return: 0, volatility: 1 });
  const edge = (from: number, to: number, weight: number) => ({ from, to, correlation: weight, weight, observations: 1 });
  const nodes = ['a', 'b', 'c', 'd', 'e', 'f'].map(node);
  const edges = [edge(0, 1, 0.9), edge(1, 2, 0.9), edge(0, 2, 0.9), edge(3, 4, 0.9), edge(4, 5, 0.9), edge(3, 5, 0.9), edge(2, 3, 0.1)];

  it('always looks the same, and finds what belongs together', () => {
    const settle = (of: Parameters<typeof outline>[0], before?: Map<string, { x: number; y: number }>): Placed[] => [...place(outline(of, before))];
    const all = settle({ nodes, edges });
    const placed = all.at(-1)!;
    assert.deepEqual(settle({ nodes, edges }).at(-1), placed);
    assert.deepEqual(all.map(({ isSettled }) => isSettled).indexOf(true), all.length - 1);
    const [first, , , last] = placed.communities;
    assert.deepEqual(placed.communities, [first, first, first, last, last, last]);
    assert.notEqual(first, last);
    assert.ok(placed.points.every(({ x, y }) => x >= 0 && x <= 1 && y >= 0 && y <= 1));
    assert.equal(settle({ nodes: [node('a')], edges: [] }).at(-1)?.points.length, 1);
    assert.deepEqual(settle({ nodes: [], edges: [] }), []);
    assert.deepEqual(bySize([7, 3, 3]), [1, 0, 0]);
  });

  it('has its symbols where they were in the graph before', () => {
    const before = [...place(outline({ nodes, edges }))].at(-1)!;
    const stood = new Map(nodes.map(({ symbol }, index) => [symbol, before.points[index]!]));
    // Until they are placed, too; those that never stood anywhere stand on a circle.
    assert.deepEqual(begun({ nodes }, stood), before.points);
    assert.deepEqual(begun({ nodes: [node('new')] }, stood), [{ x: 1, y: 0.5 }]);
    const later = nodes.toReversed();
    const turned = edges.map(({ from, to, weight }) => edge(5 - from, 5 - to, weight * 0.9));
    const { points } = [...place(outline({ nodes: later, edges: turned }, stood))].at(-1)!;
    later.forEach(({ symbol }, index) => {
      const [was, is] = [stood.get(symbol)!, points[index]!];
      assert.ok(Math.hypot(was.x - is.x, was.y - is.y) < 0.2, `${symbol} went from ${JSON.stringify(was)} to ${JSON.stringify(is)}`);
    });
  });
});

describe('addresses and words', () => {
  it('carry any name', () => {
    const name = '<img src=x>/%&?';
    assert.deepEqual(parsePlace(new URL(address(['market', name]), 'http://x').pathname, '').path, ['market', name]);
    assert.deepEqual(parsePlace('/market/%zz', '').path, ['market', '%zz']);
  });

  it('are short', () => {
    assert.deepEqual([0, 999, 61_000, 3_600_000, 90_000_000].map(duration), ['0 ms', '999 ms', '1 min 01 s', '1 h 00 min', '1 d 1 h']);
    assert.deepEqual([decimal('1.5000'), decimal('100'), decimal('2.000')], ['1.5', '100', '2']);
    const least = places(['1.5000', '100', '0.07']);
    assert.deepEqual([decimal('1.5000', least), decimal('100', least), decimal('0.125', least)], ['1.50', '100.00', '0.125']);
    assert.equal(digits(0.000123456, 3), '0.000123');
  });

  it('of a log are those of the line', () => {
    const text = JSON.stringify({ timestamp: '2026-01-01T00:00:00.123456Z', level: 'INFO', fields: { message: 'task failed', task: 't' }, target: 'x' });
    assert.equal(plain({ at: '', function: 'f', text }), '2026-01-01 00:00:00.123 INFO  f task failed task=t');
    assert.equal(plain({ at: '', function: 'f', text: 'plain' }), 'f plain');
  });
});
