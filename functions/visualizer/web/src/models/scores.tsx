/** Scores as dots with their spread: the network among its baselines, all windows of the test as ticks. */
import { digits } from '../format';
import { NETWORK, ranking, type Score } from './card';

export function Chart(props: { title: string; unit: string; isMoreBetter: boolean; scores: Record<string, Score>; extent: [number, number] }) {
  const [low, high] = props.extent;
  const x = (value: number) => `${(((value - low) / (high - low)) * 100).toFixed(2)}%`;
  return (
    <section class="scores" aria-label={props.title}>
      <h3>
        {props.title} <span class="quiet">{props.unit}</span>
      </h3>
      <ol>
        {ranking(props.scores, props.isMoreBetter).map(({ name, mean, spread, windows }) => (
          <li key={name} class={name === NETWORK ? 'own' : ''}>
            <span class="clip">{name}</span>
            <svg height="18" role="img" aria-label={`${name}: ${digits(mean)} plus or minus ${digits(spread, 2)}`}>
              <line class="axis" x1="0" x2="100%" y1="9" y2="9" />
              {windows.map((value, index) => (
                <line key={index} class="tick" x1={x(value)} x2={x(value)} y1="5" y2="13" />
              ))}
              <line class="spread" x1={x(mean - spread)} x2={x(mean + spread)} y1="9" y2="9" />
              <circle cx={x(mean)} cy="9" r="4" />
            </svg>
            <span class="number">{digits(mean)}</span>
            <span class="number quiet">± {digits(spread, 2)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}
