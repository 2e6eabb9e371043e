/** The tasks of a workflow, those that failed first, and one of them with its logs. */
import { clock, count, instant } from '../format';
import { Facts, Status } from '../shell/parts';
import { setQuery } from '../shell/router';
import { Cell, Rows } from '../shell/rows';
import { hasFailed, isOver, tasks, type Row, type Task, type Workflow } from './document';
import { Logs } from './logs';

const HEIGHT = 30;

export function Tasks({ workflow, chosen }: { workflow: Workflow; chosen: string | null }) {
  const all = tasks(workflow);
  const row = all.find(({ task }) => task.id === chosen);
  return (
    <div class={row ? 'beside' : ''}>
      <Rows
        label="Tasks"
        layout="tasks"
        columns={['State', 'Task', 'Symbol', 'Try', 'Records', 'Batches', 'Heard of', 'Reason']}
        count={all.length}
        height={HEIGHT}
        keyOf={(index) => `${all[index]?.stage.name} ${all[index]?.task.id}`}
        rowClass={(index) => (chosen !== null && all[index]?.task.id === chosen ? 'chosen' : '')}
        row={(index) => all[index] && <Line row={all[index]} isOver={isOver(workflow.status)} />}
        empty="No tasks yet."
      />
      {row && <One row={row} workflow={workflow} />}
    </div>
  );
}

function Line({ row: { task }, isOver: isEnded }: { row: Row; isOver: boolean }) {
  return (
    <>
      <Cell>
        <Status name={state(task, isEnded)} />
      </Cell>
      <Cell class="clip mono">
        <button type="button" class="link" onClick={() => setQuery({ task: task.id })}>
          {task.id}
        </button>
      </Cell>
      <Cell class="clip">{symbols(task)}</Cell>
      <Cell class="number">{task.attempt}</Cell>
      <Cell class="number">{task.stored === undefined ? '' : count(task.records_written)}</Cell>
      <Cell class="number">{batches(task)}</Cell>
      <Cell class="number quiet">{clock(task.heard_at).slice(0, 8)}</Cell>
      <Cell class="clip bad" title={task.error_message ?? undefined}>
        {task.error_message}
      </Cell>
    </>
  );
}

function One({ row: { stage, task }, workflow }: { row: Row; workflow: Workflow }) {
  const isEnded = isOver(workflow.status);
  return (
    <aside class="panel" aria-label={`Task ${task.id}`}>
      <header class="head">
        <h2 class="mono clip">{task.id}</h2>
        <span class="space" />
        <button type="button" class="plain" aria-label="Close the task" onClick={() => setQuery({ task: undefined })}>
          ✕
        </button>
      </header>
      {task.error_message && (
        <p class="problem" data-testid="task-why">
          {task.error_message}
        </p>
      )}
      <Facts
        facts={[
          ['State', <Status name={state(task, isEnded)} />],
          ['Function', stage.function],
          ['Attempt', String(task.attempt)],
          ['Again at', task.retry_at ? instant(task.retry_at) : ''],
          ['Symbols', task.symbols?.join(', ') ?? task.symbol],
          ['Range', `${instant(task.range.from)} – ${instant(task.range.to)}`],
          ['Records', count(task.records_written)],
          ['Heard of', instant(task.heard_at)],
        ]}
      />
      <h3>Logs</h3>
      <Logs query={{ task: task.id, queue_id: workflow.id }} />
    </aside>
  );
}

/** A task that never was done in a workflow that ended is neither waiting nor at work. */
function state(task: Task, isEnded: boolean): string {
  if (hasFailed(task) && isEnded) return 'failed';
  if (isEnded && task.state !== 'done') return 'stopped';
  return task.state;
}

function symbols(task: Task): string {
  const several = task.symbols?.length ?? 0;
  return several > 1 ? `${task.symbol} +${several - 1}` : task.symbol;
}

/** `3 / 8`: batches in the store, and those that the loader announced. */
function batches(task: Task): string {
  const { stored, announced } = task;
  if (stored === undefined && announced === undefined) return '';
  return announced === undefined ? count(ones(stored)) : `${count(ones(stored))} / ${count(ones(announced))}`;
}

function ones(set: string | undefined): number {
  return [...(set ?? '')].reduce((sum, digit) => sum + (Number.parseInt(digit, 16).toString(2).match(/1/g)?.length ?? 0), 0);
}
