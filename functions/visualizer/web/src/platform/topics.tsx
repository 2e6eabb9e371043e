/** Topics, and one of them with its last messages and those that come. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, query, words } from '../api';
import { bytes, clock, count } from '../format';
import { useData } from '../shell/data';
import { Trouble } from '../shell/parts';
import { address } from '../shell/router';
import { Cell, Rows } from '../shell/rows';
import { follow } from '../stream';
import { short } from '../workflows/cause';
import { insert, type Told } from './messages';

interface TopicInfo {
  name: string;
  partitions: { partition: number; begin: number; end: number }[];
  is_public: boolean;
}

export function Topics() {
  const { data, problem } = useData<{ topics: TopicInfo[] }>('/views/topics');
  return (
    <>
      <Trouble problem={problem} />
      <div class="panel scroll" tabIndex={0} role="region" aria-label="Topics">
        <table>
          <thead>
            <tr>
              <th>Topic</th>
              <th class="number">Partitions</th>
              <th class="number">Kept</th>
              <th class="number">Ever</th>
            </tr>
          </thead>
          <tbody>
            {data?.topics.map(({ name, partitions, is_public: isPublic }) => (
              <tr key={name}>
                <td>
                  {isPublic ? <a href={address(['platform', 'topics', name])}>{name}</a> : name}
                </td>
                <td class="number">{partitions.length}</td>
                <td class="number">{count(partitions.reduce((sum, one) => sum + one.end - one.begin, 0))}</td>
                <td class="number">{count(partitions.reduce((sum, one) => sum + one.end, 0))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

const PAGE = 100;
const MOST = 5_000;
const DRAW_MILLIS = 200;

export function Topic({ name }: { name: string }) {
  const [filter, setFilter] = useState('');
  const [isFollowing, setFollowing] = useState(true);
  const [chosen, setChosen] = useState<Told>();
  const { messages, problem, gone, older } = useMessages(name, isFollowing);
  const wanted = filter.trim().toLowerCase();
  const shown = wanted === '' ? messages : messages.filter((told) => `${told.event['type']} ${told.event['subject']} ${told.event['id']}`.toLowerCase().includes(wanted));
  return (
    <>
      <div class="head">
        <h2>{name}</h2>
        <input type="search" aria-label="Filter by type, subject or id" placeholder="Type, subject or id" value={filter} onInput={(event) => setFilter(event.currentTarget.value)} />
        <label class="check">
          <input type="checkbox" checked={isFollowing} onChange={() => setFollowing(!isFollowing)} /> Follow
        </label>
        <span class="quiet">{count(shown.length)} shown</span>
        <span class="space" />
        <a href="/platform/topics">All topics</a>
      </div>
      <Trouble problem={problem} />
      {gone > 0 && <p class="notice">{count(gone)} messages were taken out of the log before they could be shown.</p>}
      <div class={chosen ? 'beside' : ''}>
        <Rows
          label={`Messages of ${name}`}
          layout="messages"
          columns={['Time', 'Place', 'Type', 'Subject', 'Data']}
          count={shown.length}
          height={26}
          isPartial
          keyOf={(index) => place(shown[index])}
          rowClass={(index) => (chosen && place(shown[index]) === place(chosen) ? 'chosen' : '')}
          row={(index) => {
            const told = shown[index];
            return (
              told && (
                <>
                  <Cell class="quiet">{clock(told.timestamp)}</Cell>
                  <Cell class="quiet mono">{place(told)}</Cell>
                  <Cell class="clip">
                    <button type="button" class="link" onClick={() => setChosen(told)}>
                      {short(String(told.event['type'] ?? 'no event'))}
                    </button>
                  </Cell>
                  <Cell class="clip">{String(told.event['subject'] ?? '')}</Cell>
                  <Cell class="clip quiet mono">{preview(told)}</Cell>
                </>
              )
            );
          }}
          onEnd={older}
          empty="No message."
        />
        {chosen && (
          <aside class="panel" aria-label={`Message ${place(chosen)}`}>
            <header class="head">
              <h2 class="mono">{place(chosen)}</h2>
              <span class="space" />
              <button type="button" class="plain" aria-label="Close the message" onClick={() => setChosen(undefined)}>
                ✕
              </button>
            </header>
            {chosen.truncated !== undefined && <p class="notice">The data has {bytes(chosen.truncated)} and is cut.</p>}
            <pre class="code" tabIndex={0}>
              {JSON.stringify(chosen.event, null, 2)}
            </pre>
          </aside>
        )}
      </div>
    </>
  );
}

function useMessages(topic: string, isFollowing: boolean) {
  const [messages, setMessages] = useState<Told[]>([]);
  const [problem, setProblem] = useState<string>();
  const [gone, setGone] = useState(0);
  const held = useRef<Told[]>([]);
  const before = useRef<string | null | undefined>(undefined);
  const isReading = useRef(false);
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const base = `/views/topics/${encodeURIComponent(topic)}`;
  const take = useCallback((fresh: Told[]) => {
    held.current = insert(held.current, fresh, MOST);
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      setMessages(held.current);
    }, DRAW_MILLIS);
  }, []);
  const read = useCallback(
    async (cursor: string | undefined) => {
      if (isReading.current) return;
      isReading.current = true;
      try {
        const answer = await get<{ messages: Told[]; before?: string | null; next_cursor?: string | null }>(query(`${base}/messages`, { limit: PAGE, before: cursor }));
        take(answer.messages);
        if (cursor !== undefined || before.current === undefined) before.current = answer.before ?? answer.next_cursor ?? null;
      } catch (error) {
        setProblem(words(error));
      }
      isReading.current = false;
    },
    [base, take],
  );
  useEffect(() => void read(undefined), [read]);
  useEffect(() => {
    if (!isFollowing) return;
    return follow(`${base}/events`, {
      onOpen: () => void read(undefined),
      onMessage: ({ event, data }) => {
        if (event === 'message') take([JSON.parse(data) as Told]);
        if (event === 'gone') {
          const { from, to } = JSON.parse(data) as { from: number; to: number };
          setGone((sum) => sum + to - from);
        }
      },
      onRefused: setProblem,
    });
  }, [base, isFollowing, read, take]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const older = useCallback(() => {
    if (before.current && held.current.length < MOST) void read(before.current);
  }, [read]);
  return { messages, problem, gone, older };
}

function place(told: Told | undefined): string {
  return told ? `${told.partition}:${told.offset}` : '';
}

function preview({ event }: Told): string {
  return (JSON.stringify(event['data']) ?? '').slice(0, 300);
}
