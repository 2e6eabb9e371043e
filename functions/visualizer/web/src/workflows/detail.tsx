/** One workflow: its stages, its tasks, why it failed, and what one can do about it; live until it ends. */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { post, words } from '../api';
import { count, duration, instant } from '../format';
import { useData, useThrottled } from '../shell/data';
import { Dialog, Facts, Status, Tabs, Trouble } from '../shell/parts';
import { address, go } from '../shell/router';
import { follow } from '../stream';
import { isOver, label, withReason, type Summary, type Workflow } from './document';
import { Lineage } from './lineage';
import { useNow } from './list';
import { Logs } from './logs';
import { Stages } from './stages';
import { Tasks } from './tasks';

/** A document of thousands of tasks is large; it is not read more often than this. */
const READ_MILLIS = 500;

export function Detail(props: { id: string; tab: string; task: string | null }) {
  const { data, problem, reload } = useData<Workflow>(`/queues/${encodeURIComponent(props.id)}`);
  const workflow = useMemo(() => data && withReason(data), [data]);
  const summary = useProgress(props.id, useThrottled(reload, READ_MILLIS));
  if (!workflow) return <div class="page pad">{problem === undefined ? <p class="quiet">Loading…</p> : <Missing problem={problem} id={props.id} />}</div>;
  const status = summary?.status ?? workflow.status;
  return (
    <section class="page">
      <header class="head">
        <h1 class="mono clip">{workflow.id}</h1>
        <Status name={label(summary ?? { status, stages: workflow.stages.map((stage) => ({ ...stage, tasks_done: 0, tasks_total: 0 })) })} />
        <span class="space" />
        <Actions workflow={workflow} isOver={isOver(status)} />
      </header>
      {workflow.error_message !== null && (
        <p class="problem" data-testid="why">
          <strong>Why it failed:</strong> {workflow.error_message}
        </p>
      )}
      <About workflow={workflow} records={summary?.records_written ?? workflow.records_written} isOver={isOver(status)} />
      <Stages workflow={workflow} counts={summary} />
      <Tabs
        label="What to show"
        chosen={props.tab}
        tabs={[
          ['tasks', 'Tasks'],
          ['lineage', 'Lineage'],
          ['logs', 'Logs'],
          ['request', 'Request'],
        ]}
      />
      {props.tab === 'tasks' && <Tasks workflow={workflow} chosen={props.task} />}
      {props.tab === 'lineage' && <Lineage id={workflow.id} version={`${status}${workflow.records_written}`} />}
      {props.tab === 'logs' && <Logs query={{ queue_id: workflow.id }} />}
      {props.tab === 'request' && (
        <pre class="code" tabIndex={0}>
          {JSON.stringify(workflow.request, null, 2)}
        </pre>
      )}
    </section>
  );
}

/** The newest progress that was told; `onChange` is called with each. */
function useProgress(id: string, onChange: () => void): Summary | undefined {
  const [summary, setSummary] = useState<Summary>();
  useEffect(() => {
    let isEnded = false;
    return follow(`/queues/${encodeURIComponent(id)}/events`, {
      onMessage: ({ event, data }) => {
        if (event !== 'progress') return;
        const told = JSON.parse(data) as Summary;
        isEnded = isOver(told.status);
        setSummary(told);
        onChange();
      },
      isOver: () => isEnded,
    });
  }, [id, onChange]);
  return summary;
}

function About(props: { workflow: Workflow; records: number; isOver: boolean }) {
  const { workflow } = props;
  const now = useNow();
  const begun = workflow.started_at ?? workflow.created_at;
  const ended = workflow.finished_at === null ? now : Date.parse(workflow.finished_at);
  const { model, graph } = workflow;
  return (
    <Facts
      facts={[
        ['Symbols', <Symbols names={workflow.symbols} />],
        ['Range', `${instant(workflow.start_time)} – ${instant(workflow.end_time)}`],
        ['Records', count(props.records)],
        ['Restated', workflow.restated === undefined ? '' : count(workflow.restated)],
        ['Started', instant(begun)],
        [props.isOver ? 'Took' : 'Runs for', duration(ended - Date.parse(begun))],
        ['Graph', graph && <a href={address(['graph', graph])}>{graph}</a>],
        ['Model', model && <a href={address(['models', model.name])}>{`${model.name} ${model.version}`}</a>],
      ]}
    />
  );
}

function Symbols({ names }: { names: string[] }) {
  const shown = names.slice(0, 12);
  return (
    <>
      {shown.map((name) => (
        <a class="chip" key={name} href={address(['market', name])}>
          {name}
        </a>
      ))}
      {names.length > shown.length && <span title={names.join(', ')}>and {names.length - shown.length} more</span>}
    </>
  );
}

function Actions({ workflow, isOver: isEnded }: { workflow: Workflow; isOver: boolean }) {
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState<string>();
  const [isBusy, setBusy] = useState(false);
  const act = async (action: () => Promise<void>) => {
    setBusy(true);
    setProblem(undefined);
    try {
      await action();
    } catch (error) {
      setProblem(words(error));
    }
    setBusy(false);
    setAsking(false);
  };
  const stop = () => post<unknown>('/queues/stop', { queue_id: workflow.id }).then(() => undefined);
  const retry = async () => {
    const { queue_id: id } = await post<{ queue_id: string }>('/queues/retry', { queue_id: workflow.id });
    go(address(['workflows', id]));
  };
  return (
    <>
      <Trouble problem={problem} />
      {isEnded ? (
        <button type="button" disabled={isBusy} onClick={() => void act(retry)}>
          Run again
        </button>
      ) : (
        <button type="button" class="danger" onClick={() => setAsking(true)}>
          Stop
        </button>
      )}
      {isAsking && (
        <Dialog title="Stop this workflow?" onClose={() => setAsking(false)}>
          <p>What is stored stays. Its tasks are called off, and it cannot go on; it can be run again.</p>
          <footer>
            <button type="button" onClick={() => setAsking(false)}>
              Keep it
            </button>
            <button type="button" class="danger" disabled={isBusy} onClick={() => void act(stop)}>
              Stop the workflow
            </button>
          </footer>
        </Dialog>
      )}
    </>
  );
}

function Missing({ problem, id }: { problem: string; id: string }) {
  return (
    <>
      <h1 class="mono clip">{id}</h1>
      <Trouble problem={problem} />
      <a href="/workflows">All workflows</a>
    </>
  );
}
