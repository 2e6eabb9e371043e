/** Which event followed from which: a workflow's events in the order of cause. */
import { useMemo } from 'preact/hooks';
import { query } from '../api';
import { clock, count } from '../format';
import { useData } from '../shell/data';
import { Trouble } from '../shell/parts';
import { address } from '../shell/router';
import { Cell, Rows } from '../shell/rows';
import { arrange, short, type Caused } from './cause';

interface Answer {
  events: Caused[];
  is_complete: boolean;
}

export function Lineage({ id, version }: { id: string; version: string }) {
  const { data, problem } = useData<Answer>(query(`/views/lineage/${encodeURIComponent(id)}`, { at: undefined }) + suffix(version));
  const lines = useMemo(() => arrange(data?.events ?? []), [data]);
  if (problem !== undefined) return <Trouble problem={problem} />;
  return (
    <>
      {data && (
        <p class="quiet">
          {count(data.events.length)} events{data.is_complete ? '' : '; there are more, or the log no longer reaches back to all of them'}
        </p>
      )}
      <Rows
        label="Lineage"
        layout="lineage"
        columns={['Time', 'Event', 'Source', 'Subject', 'Where']}
        count={lines.length}
        height={26}
        keyOf={(index) => String(index)}
        row={(index) => {
          const line = lines[index];
          if (!line) return null;
          const { event } = line;
          return (
            <>
              <Cell class="number quiet">{event.time ? clock(event.time) : ''}</Cell>
              <Cell class="clip">
                <span class="depth" style={{ paddingLeft: `${Math.min(line.depth, 12) * 14}px` }} title={event.id}>
                  {line.depth > 0 && <span aria-hidden="true">↳ </span>}
                  {short(event.type)}
                </span>
              </Cell>
              <Cell class="clip">{event.source.replace('/streamforge/', '')}</Cell>
              <Cell class="clip">{event.subject}</Cell>
              <Cell class="clip quiet mono">
                <a href={address(['platform', 'topics', event.topic])}>
                  {event.topic} {event.partition}:{event.offset}
                </a>
              </Cell>
            </>
          );
        }}
        empty={data ? 'No event of it is in the log any more.' : 'Loading…'}
      />
    </>
  );
}

/** The view is the same for every version; a new path makes it read again. */
function suffix(version: string): string {
  return version === '' ? '' : `#${version}`;
}
