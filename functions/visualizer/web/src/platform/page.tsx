/** Platform: functions over time, topics, and dead letters. */
import type { Place } from '../shell/router';
import { address } from '../shell/router';
import { Functions } from './functions';
import { Letters } from './letters';
import { Topic, Topics } from './topics';

const PARTS: [string, string][] = [
  ['functions', 'Functions'],
  ['topics', 'Topics'],
  ['dead-letters', 'Dead letters'],
];

export function PlatformPage({ place }: { place: Place }) {
  const part = place.path[1] ?? 'functions';
  const topic = part === 'topics' ? place.path[2] : undefined;
  return (
    <section class="page">
      <header class="head">
        <h1>Platform</h1>
        <nav class="tabs" aria-label="Parts of the platform">
          {PARTS.map(([name, title]) => (
            <a key={name} href={address(['platform', name])} aria-current={name === part ? 'page' : undefined}>
              {title}
            </a>
          ))}
        </nav>
      </header>
      {part === 'topics' && (topic === undefined ? <Topics /> : <Topic key={topic} name={topic} />)}
      {part === 'dead-letters' && <Letters />}
      {part !== 'topics' && part !== 'dead-letters' && <Functions />}
    </section>
  );
}
