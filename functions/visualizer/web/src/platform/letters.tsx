/** Events that no retry would mend: why, with their data, and back to where they failed. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, post, query, words } from '../api';
import { instant } from '../format';
import { Facts, Trouble } from '../shell/parts';
import { Cell, Rows } from '../shell/rows';
import { short } from '../workflows/cause';

interface Letter {
  topic: string;
  partition: number;
  offset: number;
  at: number;
  /** Who would not take it. */
  destination?: string | null;
  reason: string;
  code?: string | null;
  replayed: boolean;
  event: Record<string, unknown>;
}

const PAGE = 100;
const LOOK_MILLIS = 2_000;

export function Letters() {
  const { letters, isRead, problem, more } = useLetters();
  const [chosen, setChosen] = useState<string>();
  const [replayed, setReplayed] = useState<ReadonlyMap<string, string>>(new Map());
  const one = letters.find((letter) => key(letter) === chosen);
  const replay = async (letter: Letter) => {
    const { topic, partition, offset } = letter;
    const note = (text: string) => setReplayed((before) => new Map(before).set(key(letter), text));
    note('Sending…');
    await post('/views/dead-letters/replay', { topic, partition, offset, again: letter.replayed }).then(
      () => note('Sent again'),
      (error: unknown) => note(words(error) ?? ''),
    );
  };
  const button = (letter: Letter) => {
    const said = replayed.get(key(letter));
    return said === undefined ? (
      <button type="button" onClick={() => void replay(letter)}>
        {letter.replayed ? 'Replay again' : 'Replay'}
      </button>
    ) : (
      <span role="status">{said}</span>
    );
  };
  return (
    <>
      <Trouble problem={problem} />
      <div class={one ? 'beside' : ''}>
        <Rows
          label="Dead letters"
          layout="letters"
          columns={['Failed at', 'Where', 'Event', 'Reason', '']}
          count={letters.length}
          height={36}
          keyOf={(index) => (letters[index] ? key(letters[index]) : '')}
          rowClass={(index) => (letters[index] && key(letters[index]) === chosen ? 'chosen' : '')}
          row={(index) => {
            const letter = letters[index];
            return (
              letter && (
                <>
                  <Cell class="quiet">{instant(letter.at)}</Cell>
                  <Cell class="clip">{where(letter)}</Cell>
                  <Cell class="clip">
                    <button type="button" class="link" onClick={() => setChosen(key(letter))}>
                      {short(String(letter.event['type'] ?? 'no event'))}
                    </button>
                  </Cell>
                  <Cell class="clip bad" title={letter.reason}>
                    {letter.reason}
                  </Cell>
                  <Cell>{button(letter)}</Cell>
                </>
              )
            );
          }}
          onEnd={more}
          empty={isRead ? 'No dead letters: everything that came was taken.' : 'Loading…'}
        />
        {one && (
          <aside class="panel" aria-label="Dead letter">
            <header class="head">
              <h2 class="clip">{String(one.event['id'] ?? key(one))}</h2>
              <span class="space" />
              {button(one)}
              <button type="button" class="plain" aria-label="Close the letter" onClick={() => setChosen(undefined)}>
                ✕
              </button>
            </header>
            <p class="problem">{one.reason}</p>
            <Facts
              facts={[
                ['Failed at', instant(one.at)],
                ['Where', one.destination ?? one.topic],
                ['Code', String(one.code ?? '')],
                ['Type', String(one.event['type'] ?? '')],
                ['Subject', String(one.event['subject'] ?? '')],
                ['Place', key(one)],
              ]}
            />
            <pre class="code" tabIndex={0}>
              {JSON.stringify(one.event, null, 2)}
            </pre>
          </aside>
        )}
      </div>
    </>
  );
}

function useLetters() {
  const [held, setHeld] = useState<{ letters: Letter[]; next: string | null; isRead: boolean }>({ letters: [], next: null, isRead: false });
  const [problem, setProblem] = useState<string>();
  const present = useRef(held);
  present.current = held;
  const isReading = useRef(false);
  const read = useCallback(async (cursor: string | undefined) => {
    if (isReading.current) return;
    isReading.current = true;
    try {
      const answer = await get<{ letters: Letter[]; next_cursor: string | null }>(query('/views/dead-letters', { limit: PAGE, cursor }));
      const known = new Set(answer.letters.map(key));
      const others = present.current.letters.filter((letter) => !known.has(key(letter)));
      const letters = cursor === undefined ? [...answer.letters, ...others] : [...others, ...answer.letters];
      const isFirst = cursor !== undefined || !present.current.isRead;
      setHeld({ letters, next: isFirst ? answer.next_cursor : present.current.next, isRead: true });
      setProblem(undefined);
    } catch (error) {
      setProblem(words(error));
    }
    isReading.current = false;
  }, []);
  useEffect(() => void read(undefined), [read]);
  useEffect(() => {
    // Not everybody may watch the topic itself.
    const timer = setInterval(() => !document.hidden && void read(undefined), LOOK_MILLIS);
    return () => clearInterval(timer);
  }, [read]);
  const more = useCallback(() => {
    if (present.current.next !== null) void read(present.current.next);
  }, [read]);
  return { letters: held.letters, isRead: held.isRead, problem, more };
}

function key({ topic, partition, offset }: Letter): string {
  return `${topic} ${partition}:${offset}`;
}

function where(letter: Letter): string {
  return letter.destination?.replace(/^https?:\/\//, '').split('.')[0] ?? letter.topic;
}
