/** All workflows, newest first: paged by the server, live by what is told on the topic of reports. */
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { get, post, query, words } from '../api';
import { count, duration, instant } from '../format';
import { Progress, Status, Trouble } from '../shell/parts';
import { Cell, Rows } from '../shell/rows';
import { useThrottled } from '../shell/data';
import { address, go, setQuery, type Place } from '../shell/router';
import { follow } from '../stream';
import { isEndless, isOver, label, STATUSES, type Status as StatusName, type Summary } from './document';
import { append, NOTHING, partsOf, renew, rows, type Answer, type Read } from './pages';
import { Start } from './start';

const PAGE = 100;
const RENEW_MILLIS = 1_000;
const TICK_MILLIS = 1_000;

export function List({ place }: { place: Place }) {
  const wanted = place.query.get('status');
  const status = STATUSES.find((name) => name === wanted);
  const list = useList(status);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const all = rows(list.read);
  const now = useNow();
  const toggle = (id: string) =>
    setChosen((before) => {
      const after = new Set(before);
      if (!after.delete(id)) after.add(id);
      return after;
    });
  return (
    <section class="page fill">
      <header class="head">
        <h1>Workflows</h1>
        <div class="tabs" role="group" aria-label="Filter by status">
          {[undefined, ...STATUSES].map((name) => (
            <button
              type="button"
              key={name ?? 'all'}
              aria-pressed={name === status}
              onClick={() => {
                setChosen(new Set());
                setQuery({ status: name });
              }}
            >
              {name === undefined ? 'All' : name === 'loading' ? 'running' : name === 'error' ? 'failed' : name}
            </button>
          ))}
        </div>
        <span class="quiet" data-testid="count">
          {count(all.length)}
          {list.read.next === null ? '' : '+'}
        </span>
        <span class="space" />
        {chosen.size > 0 && <StopMany ids={[...chosen]} onDone={() => setChosen(new Set())} />}
        <button type="button" class="main" onClick={() => setQuery({ start: '1' })}>
          Start a workflow
        </button>
      </header>
      <Trouble problem={list.problem} />
      <Rows
        label="Workflows"
        layout="workflows"
        columns={['', 'Status', 'Workflow', 'Symbols', 'Stages', 'Records', 'Started', 'Took', 'Reason']}
        count={all.length}
        height={34}
        isPartial={list.read.next !== null}
        keyOf={(index) => all[index]?.id ?? String(index)}
        row={(index) => {
          const workflow = all[index];
          return workflow && <Line workflow={workflow} now={now} isChosen={chosen.has(workflow.id)} onChoose={toggle} />;
        }}
        onEnd={list.more}
        onSight={list.sight}
        empty={list.isRead ? (status ? 'None of this status.' : 'No workflow yet. Start one, or publish an event.') : 'Loading…'}
      />
      {place.query.get('start') !== null && (
        <Start onClose={() => setQuery({ start: undefined })} onStarted={(id) => go(address(['workflows', id]))} />
      )}
    </section>
  );
}

function Line(props: { workflow: Summary; now: number; isChosen: boolean; onChoose(id: string): void }) {
  const { workflow } = props;
  const [symbol, ...others] = workflow.symbols;
  const begun = Date.parse(workflow.started_at ?? workflow.created_at);
  const ended = workflow.finished_at === null ? props.now : Date.parse(workflow.finished_at);
  return (
    <>
      <Cell class="choice">
        {!isOver(workflow.status) && (
          <input
            type="checkbox"
            aria-label={`Choose ${workflow.id}`}
            checked={props.isChosen}
            onChange={() => props.onChoose(workflow.id)}
          />
        )}
      </Cell>
      <Cell>
        <Status name={label(workflow)} />
      </Cell>
      <Cell class="mono clip">
        <a href={address(['workflows', workflow.id])}>{workflow.id}</a>
      </Cell>
      <Cell class="clip" title={workflow.symbols.join(', ')}>
        {symbol}
        {others.length > 0 && <span class="quiet"> +{others.length}</span>}
      </Cell>
      <Cell class="segments">
        {workflow.stages.map((stage) => (
          <Progress
            key={stage.name}
            label={stage.name}
            status={stage.status === 'loading' && isEndless(stage) ? 'endless' : stage.status}
            done={stage.tasks_done}
            total={stage.tasks_total}
          />
        ))}
      </Cell>
      <Cell class="number">{count(workflow.records_written)}</Cell>
      <Cell class="number quiet">{instant(begun).slice(5)}</Cell>
      <Cell class="number quiet">{duration(ended - begun)}</Cell>
      <Cell class="clip bad" title={workflow.error_message ?? undefined}>
        {workflow.error_message}
      </Cell>
    </>
  );
}

/** Stops several workflows one after the other, and says how far it is and which would not. */
function StopMany(props: { ids: string[]; onDone(): void }) {
  const [state, setState] = useState<{ done: number; failed: string[] }>();
  const stop = async () => {
    const failed: string[] = [];
    setState({ done: 0, failed });
    for (const [index, id] of props.ids.entries()) {
      await post('/queues/stop', { queue_id: id }).catch((error: unknown) => failed.push(`${id}: ${words(error)}`));
      setState({ done: index + 1, failed: [...failed] });
    }
    if (failed.length === 0) props.onDone();
  };
  if (state && state.failed.length > 0) return <span class="bad">{state.failed.join('; ')}</span>;
  return (
    <button type="button" class="danger" disabled={state !== undefined} onClick={() => void stop()}>
      {state ? `Stopping ${state.done} of ${props.ids.length}` : `Stop ${props.ids.length}`}
    </button>
  );
}

function useList(status: StatusName | undefined) {
  const [held, setHeld] = useState<{ status: StatusName | undefined; read: Read; isRead: boolean; problem: string | undefined }>({
    status,
    read: NOTHING,
    isRead: false,
    problem: undefined,
  });
  const present = useRef(held);
  const sight = useRef<[number, number]>([0, 0]);
  const isReading = useRef(false);
  const change = useCallback((of: StatusName | undefined, after: (read: Read) => Read) => {
    if (present.current.status !== of) return;
    present.current = { status: of, read: after(present.current.read), isRead: true, problem: undefined };
    setHeld(present.current);
  }, []);
  const fail = useCallback((error: unknown) => {
    present.current = { ...present.current, problem: words(error) };
    setHeld(present.current);
  }, []);
  const ask = useCallback(
    (cursor: string | undefined) => get<Answer>(query('/queues', { limit: PAGE, cursor, status })),
    [status],
  );
  const more = useCallback(() => {
    const { read, isRead } = present.current;
    if (isReading.current || !isRead || read.next === null) return;
    const cursor = read.next;
    isReading.current = true;
    ask(cursor)
      .then((answer) => change(status, (before) => append(before, cursor, answer)), fail)
      .finally(() => (isReading.current = false));
  }, [ask, change, fail, status]);
  const renewSight = useThrottled(() => {
    const [first, last] = sight.current;
    const parts = new Set([0, ...partsOf(present.current.read, first, last)]);
    for (const index of parts) {
      const cursor = present.current.read.parts[index]?.cursor;
      ask(cursor).then(
        (answer) =>
          change(status, (read) =>
            read.parts[index]?.cursor === cursor && read.parts.length > 0
              ? renew(read, index, answer, status)
              : read.parts.length === 0
                ? append(NOTHING, undefined, answer)
                : read,
          ),
        fail,
      );
    }
  }, RENEW_MILLIS);
  useEffect(() => {
    present.current = { status, read: NOTHING, isRead: false, problem: undefined };
    setHeld(present.current);
    ask(undefined).then((answer) => change(status, () => append(NOTHING, undefined, answer)), fail);
  }, [ask, change, fail, status]);
  useEffect(
    // Reports name every change of a workflow; what they say is read from the list itself.
    () => follow('/views/topics/queue-events/events', { onMessage: renewSight, onOpen: renewSight }),
    [renewSight],
  );
  const look = useCallback((first: number, last: number) => void (sight.current = [first, last]), []);
  const isSame = held.status === status;
  return { read: isSame ? held.read : NOTHING, isRead: isSame && held.isRead, problem: held.problem, more, sight: look };
}

/** The present time, moving on each second. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), TICK_MILLIS);
    return () => clearInterval(timer);
  }, []);
  return now;
}
