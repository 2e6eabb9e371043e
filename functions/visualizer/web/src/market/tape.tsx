/** Trades as they happen, newest first; older ones are read as one scrolls. */
import { clock, decimal, places } from '../format';
import { Cell, Rows } from '../shell/rows';
import type { Trade } from './feed';

/** By so many trades it is known how many digits the market writes. */
const LOOKED_AT = 100;

export function Tape({ trades, onEnd }: { trades: Trade[]; onEnd(): void }) {
  const newest = trades.slice(0, LOOKED_AT);
  const [ofPrice, ofQuantity] = [places(newest.map(({ price }) => price)), places(newest.map(({ quantity }) => quantity))];
  return (
    <section class="panel tape" aria-label="Trades">
      <header class="head">
        <h2>Trades</h2>
      </header>
      <Rows
        label="Trades"
        layout="trades"
        columns={['Time', 'Price', 'Quantity']}
        count={trades.length}
        height={21}
        isPartial
        keyOf={(index) => String(trades[index]?.id)}
        rowClass={(index) => (trades[index]?.isSale ? 'down' : 'up')}
        row={(index) => {
          const trade = trades[index];
          return (
            trade && (
              <>
                <Cell class="quiet">{clock(trade.time)}</Cell>
                <Cell class="number price">{decimal(trade.price, ofPrice)}</Cell>
                <Cell class="number" title={trade.isSale ? 'sold' : 'bought'}>
                  {decimal(trade.quantity, ofQuantity)}
                </Cell>
              </>
            )
          );
        }}
        onEnd={onEnd}
        empty="No trades are stored of it."
      />
    </section>
  );
}
