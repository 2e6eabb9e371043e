/** Workflows as the server shows them, and what follows from them for the eye. */

export const STATUSES = ['pending', 'loading', 'finished', 'stopped', 'error'] as const;
export type Status = (typeof STATUSES)[number];

export interface Summary {
  id: string;
  symbols: string[];
  type: string;
  status: Status;
  start_time: string;
  end_time: string;
  records_written: number;
  restated?: number;
  error_message: string | null;
  created_at: string;
  started_at: string | null;
  finished_at: string | null;
  graph?: string;
  model?: { name: string; version: string };
  stages: StageSummary[];
}

export interface StageSummary {
  name: string;
  function: string;
  type: string;
  work: string | Record<string, unknown>;
  after: string[];
  status: Status;
  heard_at: string;
  tasks_done: number;
  tasks_total: number;
}

export type TaskState = 'waiting' | 'sent' | 'started' | 'loaded' | 'done';

export interface Task {
  id: string;
  symbol: string;
  symbols?: string[];
  range: { from: number; to: number };
  state: TaskState;
  attempt: number;
  heard_at: string;
  retry_at?: string | null;
  /** Numbers of batches as bits, in hexadecimal digits. */
  announced?: string;
  stored?: string;
  records_written: number;
  error_message?: string | null;
}

export interface Stage extends Omit<StageSummary, 'tasks_done' | 'tasks_total'> {
  progress_millis?: number;
  tasks: Task[];
}

export interface Workflow extends Omit<Summary, 'stages'> {
  request: unknown;
  stages: Stage[];
}

/** What a person calls a status: work without an end is not loading, it is live. */
export function label(workflow: Pick<Summary, 'status' | 'stages'>): string {
  if (workflow.status !== 'loading') return { pending: 'pending', finished: 'finished', stopped: 'stopped', error: 'failed' }[workflow.status];
  const rest = workflow.stages.filter((stage) => stage.status !== 'finished');
  return rest.length > 0 && rest.every(isEndless) ? 'live' : 'running';
}

export function isOver(status: Status): boolean {
  return status === 'finished' || status === 'stopped' || status === 'error';
}

/** Whether a stage goes on until it is stopped. */
export function isEndless(stage: { work: StageSummary['work'] }): boolean {
  return stage.work === 'live' || stage.work === 'stream';
}

/** How many of a stage's tasks are done: a connector's are those of the loader whose batches it stores. */
export function progress(workflow: Workflow, stage: Stage): { done: number; total: number } {
  const work = stage.work;
  const source = typeof work === 'object' && 'store' in work ? workflow.stages.find((other) => other.name === work['store']) : stage;
  const isLoad = typeof work === 'object' && 'load' in work;
  const tasks = source?.tasks ?? [];
  const done = tasks.filter((task) => task.state === 'done' || (isLoad && task.state === 'loaded')).length;
  return { done, total: tasks.length };
}

export interface Row {
  stage: Stage;
  task: Task;
}

const URGENCY: Record<TaskState, number> = { started: 1, loaded: 1, sent: 2, waiting: 3, done: 4 };

/** All tasks, those that failed first, then those under way. */
export function tasks(workflow: Workflow): Row[] {
  const rows = workflow.stages.flatMap((stage) => stage.tasks.map((task) => ({ stage, task })));
  const urgency = ({ task }: Row) => (hasFailed(task) ? 0 : URGENCY[task.state]);
  return rows.map((row, index) => ({ row, index })).sort((a, b) => urgency(a.row) - urgency(b.row) || a.index - b.index).map(({ row }) => row);
}

/** The workflow with the reason at the task that it failed by, which the server tells of the workflow alone. */
export function withReason(workflow: Workflow): Workflow {
  const [, id, reason] = /^task `([^`]+)` failed: (.*)$/s.exec(workflow.error_message ?? '') ?? [];
  if (id === undefined || reason === undefined) return workflow;
  const told = (task: Task): Task => (task.id === id ? { ...task, error_message: task.error_message ?? reason } : task);
  return { ...workflow, stages: workflow.stages.map((stage) => ({ ...stage, tasks: stage.tasks.map(told) })) };
}

export function hasFailed(task: Task): boolean {
  return task.state !== 'done' && Boolean(task.error_message);
}

export interface Box {
  stage: Stage;
  column: number;
  line: number;
}

/** Where stages stand: in the column after the last of those that they wait for. */
export function boxes(stages: Stage[]): Box[] {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const columns = new Map<string, number>();
  const columnOf = (stage: Stage, above: Set<string>): number => {
    const known = columns.get(stage.name);
    if (known !== undefined) return known;
    if (above.has(stage.name)) return 0;
    const within = new Set(above).add(stage.name);
    const before = waits(stage).flatMap((name) => byName.get(name) ?? []).map((other) => columnOf(other, within) + 1);
    const column = Math.max(0, ...before);
    columns.set(stage.name, column);
    return column;
  };
  const filled = new Map<number, number>();
  return stages.map((stage) => {
    const column = columnOf(stage, new Set());
    const line = filled.get(column) ?? 0;
    filled.set(column, line + 1);
    return { stage, column, line };
  });
}

/** The stages whose lines lead to a stage: those that it waits for and that no other of them waits for, too. */
export function lines(stages: Stage[]): { from: string; to: string }[] {
  const byName = new Map(stages.map((stage) => [stage.name, stage]));
  const reaches = (from: string, to: string, seen = new Set<string>()): boolean => {
    const stage = byName.get(to);
    if (!stage || seen.has(to)) return false;
    seen.add(to);
    return waits(stage).some((name) => name === from || reaches(from, name, seen));
  };
  return stages.flatMap((stage) => {
    const direct = waits(stage).filter((name) => byName.has(name));
    return direct
      .filter((name) => !direct.some((other) => other !== name && reaches(name, other)))
      .map((from) => ({ from, to: stage.name }));
  });
}

/** A connector waits for nobody and yet comes behind the loader whose batches it stores. */
function waits(stage: Stage): string[] {
  const source = typeof stage.work === 'object' ? stage.work['store'] : undefined;
  return typeof source === 'string' ? [...stage.after, source] : stage.after;
}
