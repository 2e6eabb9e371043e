/** The order book: the best levels of both sides with what lies there, and all of it as depth. */
import { clock, decimal, digits, places } from '../format';
import { rungs, type Book, type Rung } from './book';

const LEVELS = 12;
const DEPTH_LEVELS = 400;
const WIDTH = 300;
const HEIGHT = 84;
/** The depth is drawn as far from the middle as both sides reach, and not farther than this. */
const FARTHEST = 0.02;

export function Ladder({ book, at }: { book: Book; at: number | undefined }) {
  const bids = rungs(book.bids(), DEPTH_LEVELS);
  const asks = rungs(book.asks(), DEPTH_LEVELS);
  const [bid, ask] = [bids[0], asks[0]];
  const shown = [...bids.slice(0, LEVELS), ...asks.slice(0, LEVELS)];
  const most = Math.max(...shown.map((rung) => rung.sum), 0);
  const look = { most, ofPrice: places(shown.map(({ price }) => price)), ofQuantity: places(shown.map(({ quantity }) => quantity)) };
  return (
    <section class="panel ladder" aria-label="Order book">
      <header class="head">
        <h2>Order book</h2>
        <span class="space" />
        {(bid || ask) && <Trusted book={book} />}
      </header>
      {!bid && !ask ? (
        <p class="quiet">No depth has come for it.</p>
      ) : (
        <>
          <table>
            <thead>
              <tr>
                <th class="number">Price</th>
                <th class="number">Quantity</th>
                <th class="number">Sum</th>
              </tr>
            </thead>
            <tbody class="asks">{asks.slice(0, LEVELS).toReversed().map((rung) => <Level key={rung.price} rung={rung} {...look} />)}</tbody>
            <tbody class="spread">
              <tr>
                <td class="number">{bid && ask ? digits((Number(bid.price) + Number(ask.price)) / 2, 8) : ''}</td>
                <td class="number quiet" colSpan={2}>
                  {bid && ask && `spread ${digits(Number(ask.price) - Number(bid.price), 4)}`}
                </td>
              </tr>
            </tbody>
            <tbody class="bids">{bids.slice(0, LEVELS).map((rung) => <Level key={rung.price} rung={rung} {...look} />)}</tbody>
          </table>
          <Depth bids={bids} asks={asks} />
          {at !== undefined && <p class="quiet small">of {clock(at)}</p>}
        </>
      )}
    </section>
  );
}

function Level({ rung, most, ofPrice, ofQuantity }: { rung: Rung; most: number; ofPrice: number; ofQuantity: number }) {
  const share = most === 0 ? 0 : (rung.sum / most) * 100;
  return (
    <tr>
      <td class="number price">{decimal(rung.price, ofPrice)}</td>
      <td class="number">{decimal(rung.quantity, ofQuantity)}</td>
      <td class="number quiet sum" style={{ backgroundSize: `${share}% 100%` }}>
        {rung.sum.toFixed(ofQuantity)}
      </td>
    </tr>
  );
}

function Trusted({ book }: { book: Book }) {
  if (book.trust === 'broken') return <span class="bad">broken: waits for a snapshot</span>;
  if (book.isChecked === true) return <span class="good-text" title="The ten best levels have the feed's checksum">checked</span>;
  if (book.trust === 'partial') return <span class="quiet" title="No snapshot was seen: levels show as they change">partial</span>;
  return book.isChecked === false ? <span class="bad">checksum differs</span> : null;
}

/** Sums of both sides by distance from the middle. */
function Depth({ bids, asks }: { bids: Rung[]; asks: Rung[] }) {
  const [bid, ask] = [bids[0], asks[0]];
  if (!bid || !ask) return null;
  const middle = (Number(bid.price) + Number(ask.price)) / 2;
  const reach = Math.min(
    FARTHEST * middle,
    Math.min(middle - Number(bids.at(-1)?.price ?? middle), Number(asks.at(-1)?.price ?? middle) - middle) || FARTHEST * middle,
  );
  const near = (rungsOfSide: Rung[]) => rungsOfSide.filter((rung) => Math.abs(Number(rung.price) - middle) <= reach);
  const [left, right] = [near(bids), near(asks)];
  const top = Math.max(left.at(-1)?.sum ?? 0, right.at(-1)?.sum ?? 0) || 1;
  const x = (price: string) => (WIDTH / 2) * (1 + (Number(price) - middle) / reach);
  const y = (sum: number) => HEIGHT - (sum / top) * (HEIGHT - 4);
  return (
    <svg class="depth-chart" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={`Depth within ${digits((reach / middle) * 100, 2)} % of the middle`}>
      <path class="bid" d={steps(left, x, y, 0)} />
      <path class="ask" d={steps(right, x, y, WIDTH)} />
    </svg>
  );
}

function steps(side: Rung[], x: (price: string) => number, y: (sum: number) => number, end: number): string {
  const first = side[0];
  if (!first) return '';
  const path = side.map((rung) => `H${x(rung.price).toFixed(1)}V${y(rung.sum).toFixed(1)}`).join('');
  return `M${x(first.price).toFixed(1)} ${HEIGHT}${path}H${end}V${HEIGHT}Z`;
}
