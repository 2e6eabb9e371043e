/** A request for a workflow, from the fields of a form to the JSON that the server takes. */
import { findNodeAtLocation, parseTree } from 'jsonc-parser';

/** Kinds of parts that a form offers; the order is that of the request. */
export const KINDS = [
  { name: 'candles', title: 'Candles', hint: 'load klines of the interval and store them' },
  { name: 'trades', title: 'Trades', hint: 'load aggregate trades and store them' },
  { name: 'graph', title: 'Graph', hint: 'correlate the symbols' },
  { name: 'train', title: 'Train', hint: 'train a network on bars and graph' },
  { name: 'infer', title: 'Predict', hint: 'predict the last day of the range' },
  { name: 'live_candles', title: 'Live candles', hint: 'until it is stopped' },
  { name: 'live_trades', title: 'Live trades', hint: 'until it is stopped' },
  { name: 'live_book', title: 'Live order book', hint: 'until it is stopped' },
  { name: 'live_graph', title: 'Live graph', hint: 'a new graph with each bar' },
  { name: 'live_infer', title: 'Live predictions', hint: 'a prediction with each bar' },
  { name: 'dummy', title: 'Dummy', hint: 'does nothing, for tests' },
] as const;
export type Kind = (typeof KINDS)[number]['name'];

export const INTERVALS = ['1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d'];

export interface Draft {
  symbols: string;
  from: string;
  to: string;
  interval: string;
  model: string;
  kinds: ReadonlySet<Kind>;
}

type Part = Record<string, unknown>;

/** The request that a form says. */
export function request(draft: Draft): { symbols: string[]; time_range: string; requests: Part[] } {
  const symbols = draft.symbols.split(/[\s,;]+/).filter((symbol) => symbol !== '');
  const requests = KINDS.filter(({ name }) => draft.kinds.has(name)).flatMap(({ name }) => parts(name, draft));
  return { symbols, time_range: `${draft.from}:${draft.to}`, requests };
}

/** The request as text, one part a line. */
export function text(draft: Draft): string {
  const { symbols, time_range: range, requests } = request(draft);
  const lines = requests.map((part) => `    ${JSON.stringify(part).replaceAll('":', '": ').replaceAll(',"', ', "')}`);
  const list = lines.length === 0 ? '[]' : `[\n${lines.join(',\n')}\n  ]`;
  const names = symbols.map((symbol) => JSON.stringify(symbol)).join(', ');
  return `{\n  "symbols": [${names}],\n  "time_range": ${JSON.stringify(range)},\n  "requests": ${list}\n}`;
}

/** Where a field that the server names, such as `requests[0].type`, lies in a text. */
export function locate(json: string, field: string): { from: number; to: number } | undefined {
  const root = parseTree(json);
  if (!root) return undefined;
  const path = steps(field);
  // A field that is missing has no place of its own; what it should be in has.
  for (let length = path.length; length > 0; length -= 1) {
    const node = findNodeAtLocation(root, path.slice(0, length));
    if (node) return { from: node.offset, to: node.offset + node.length };
  }
  return undefined;
}

/** The field of the form that a field of the request comes from. */
export function inForm(field: string): 'symbols' | 'range' | 'requests' | undefined {
  const [first] = steps(field);
  if (first === 'symbols' || first === 'symbol') return 'symbols';
  if (first === 'time_range') return 'range';
  return first === 'requests' ? 'requests' : undefined;
}

function steps(field: string): (string | number)[] {
  return [...field.matchAll(/\[(\d+)\]|[^.[\]]+/g)].map((match) => (match[1] === undefined ? match[0] : Number(match[1])));
}

function parts(kind: Kind, draft: Draft): Part[] {
  const { interval } = draft;
  const isLoading = draft.kinds.has('candles') || draft.kinds.has('live_candles');
  const own = isLoading ? {} : { interval };
  const model = draft.model.trim();
  const named = model === '' ? {} : { model };
  switch (kind) {
    case 'candles':
      return loaded(`api_candles_${interval}`);
    case 'trades':
      return loaded('api_trades');
    case 'graph':
      return [{ target: 'graph-builder', type: 'gnn_graph', ...own }];
    case 'train':
      return [{ target: 'gnn-trainer', type: 'gnn_train', ...own, ...(model === '' ? {} : { model_output: model }) }];
    case 'infer':
      return [{ target: 'predictor', type: 'gnn_infer', ...own, ...named }];
    case 'live_candles':
      return [{ target: 'loader-ws', type: `ws_candles_${interval}` }];
    case 'live_trades':
      return [{ target: 'loader-ws', type: 'ws_trades' }];
    case 'live_book':
      return [{ target: 'loader-ws', type: 'ws_orderbook' }];
    case 'live_graph':
      return [{ target: 'graph-builder', type: 'realtime_graph', ...own, collection_output: 'live' }];
    case 'live_infer':
      return [{ target: 'predictor', type: 'realtime_gnn_infer', ...own, ...named }];
    case 'dummy':
      return [{ target: 'dummy-service', type: 'dummy', simulate_loading: { steps: 20, step_ms: 500 } }];
  }
}

function loaded(type: string): Part[] {
  return [
    { target: 'loader-producer', type },
    { target: 'arango-connector', type },
  ];
}
