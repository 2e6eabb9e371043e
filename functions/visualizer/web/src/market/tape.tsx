/** Trades as they happen, newest first; older ones are read as one scrolls. */
import { clock, decimal } from '../format';
import { Cell, Rows } from '../shell/rows';
import type { Trade } from './feed';

export function Tape({ trades, onEnd }: { trades: Trade[]; onEnd(): void }) {
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
                <Cell class="number price">{decimal(trade.price)}</Cell>
                <Cell class="number" title={trade.isSale ? 'sold' : 'bought'}>
                  {decimal(trade.quantity)}
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
