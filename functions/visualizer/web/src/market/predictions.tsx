/** What models said of a symbol, and what came. */
import { digits, instant, percent } from '../format';
import { Status } from '../shell/parts';
import { Cell, Rows } from '../shell/rows';
import { hits, likeliest, type Class, type Health, type Prediction } from './prediction';

const CLASSES: Class[] = ['down', 'sideways', 'up'];

export function Predictions({ predictions, isRead }: { predictions: Prediction[]; isRead: boolean }) {
  const all = predictions.toReversed();
  const { right, known } = hits(predictions);
  return (
    <>
      {known > 0 && (
        <p class="quiet">
          The likeliest class came {right} of {known} times ({percent(right / known)}).
        </p>
      )}
      <Rows
        label="Predictions"
        layout="predictions"
        columns={['Bar', 'Model', 'Down · sideways · up', 'Came', 'Volatility', 'Came', 'Data']}
        count={all.length}
        height={26}
        keyOf={(index) => `${all[index]?.model} ${all[index]?.version} ${all[index]?.split} ${all[index]?.open_time}`}
        row={(index) => all[index] && <Line prediction={all[index]} />}
        empty={isRead ? 'No model has predicted it.' : 'Loading…'}
      />
    </>
  );
}

function Line({ prediction }: { prediction: Prediction }) {
  const { realised_class: came, realised_volatility: volatility, health } = prediction;
  const said = likeliest(prediction);
  return (
    <>
      <Cell class="quiet">{instant(prediction.open_time).slice(5, 16)}</Cell>
      <Cell class="clip" title={`${prediction.model} ${prediction.version} (${prediction.split})`}>
        {prediction.model}
      </Cell>
      <Cell class="odds" title={CLASSES.map((name) => `${name} ${percent(prediction.probabilities[name])}`).join(', ')}>
        {CLASSES.map((name) => (
          <span key={name} class={`odd ${name} ${name === said ? 'said' : ''}`} style={{ flexGrow: prediction.probabilities[name] }}>
            {Math.round(prediction.probabilities[name] * 100)}
          </span>
        ))}
      </Cell>
      <Cell class={came ? (came === said ? 'good-text' : '') : 'quiet'}>{came ? `${came}${came === said ? ' ✓' : ''}` : 'not yet'}</Cell>
      <Cell class="number">{percent(prediction.volatility, 3)}</Cell>
      <Cell class="number quiet">{typeof volatility === 'number' ? percent(volatility, 3) : ''}</Cell>
      <Cell title={health ? told(health) : undefined}>{health && <Status name={health.grade} />}</Cell>
    </>
  );
}

function told(health: Health): string {
  const parts = [`${health.present} of ${health.needed} bars`, `${health.filled} came late`, `${health.open_gaps} open gaps`];
  if (health.lacking > 0) parts.push(`${health.lacking} other symbols lack bars`);
  if (health.age !== undefined) parts.push(`newest bar ${digits(health.age / 1_000, 3)} s old`);
  return parts.join(', ');
}
