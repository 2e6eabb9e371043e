/** The stages of a workflow as a graph: what waits for what, and how far each is. */
import { clock, count } from '../format';
import { Progress, Status } from '../shell/parts';
import { boxes, hasFailed, isEndless, isOver, lines, progress, type Box, type Summary, type Workflow } from './document';

const WIDTH = 196;
const HEIGHT = 84;
const GAP_X = 44;
const GAP_Y = 12;

export function Stages({ workflow, counts }: { workflow: Workflow; counts: Summary | undefined }) {
  const placed = boxes(workflow.stages);
  if (placed.length === 0) return <p class="quiet">Not planned yet.</p>;
  const width = (1 + Math.max(...placed.map((box) => box.column))) * (WIDTH + GAP_X) - GAP_X;
  const height = (1 + Math.max(...placed.map((box) => box.line))) * (HEIGHT + GAP_Y) - GAP_Y;
  const byName = new Map(placed.map((box) => [box.stage.name, box]));
  return (
    <div class="stages" tabIndex={0} role="region" aria-label="Stages">
      <div class="stages-all" style={{ width: `${width}px`, height: `${height}px` }}>
        <svg width={width} height={height} aria-hidden="true">
          {lines(workflow.stages).map(({ from, to }) => {
            const [before, after] = [byName.get(from), byName.get(to)];
            return before && after && <path key={`${from} ${to}`} class={before.stage.status} d={curve(before, after)} />;
          })}
        </svg>
        <ul>
          {placed.map((box) => (
            <StageBox key={box.stage.name} box={box} workflow={workflow} counts={counts} />
          ))}
        </ul>
      </div>
    </div>
  );
}

function StageBox({ box, workflow, counts }: { box: Box; workflow: Workflow; counts: Summary | undefined }) {
  const { stage } = box;
  const told = counts?.stages.find((other) => other.name === stage.name);
  const own = progress(workflow, stage);
  const { done, total } = told ? { done: told.tasks_done, total: told.tasks_total } : own;
  const reached = told?.status ?? stage.status;
  // What a workflow that ended did not come to is waited for no more.
  const status = reached === 'pending' && isOver(workflow.status) ? 'stopped' : reached;
  const failed = stage.tasks.filter(hasFailed).length;
  const attempts = stage.tasks.filter((task) => task.attempt > 1).length;
  const isLive = isEndless(stage);
  return (
    <li class={`stage ${status}`} style={{ left: `${box.column * (WIDTH + GAP_X)}px`, top: `${box.line * (HEIGHT + GAP_Y)}px` }}>
      <div class="clip">
        <strong>{stage.type}</strong>
      </div>
      <div class="quiet clip">{stage.function}</div>
      <Progress label={stage.name} done={done} total={total} status={isLive && status === 'loading' ? 'endless' : status} />
      <div class="stage-foot">
        <Status name={status === 'loading' && isLive ? 'live' : status === 'loading' ? 'running' : status === 'error' ? 'failed' : status} />
        <span class="quiet">
          {isLive ? `heard ${clock(stage.heard_at).slice(0, 8)}` : `${count(done)} / ${count(total)}`}
          {failed > 0 && <b class="bad"> {failed} failing</b>}
          {failed === 0 && attempts > 0 && ` · ${attempts} again`}
        </span>
      </div>
    </li>
  );
}

function curve(from: Box, to: Box): string {
  const x = from.column * (WIDTH + GAP_X) + WIDTH;
  const y = from.line * (HEIGHT + GAP_Y) + HEIGHT / 2;
  const endX = to.column * (WIDTH + GAP_X);
  const endY = to.line * (HEIGHT + GAP_Y) + HEIGHT / 2;
  const bend = GAP_X / 2;
  return `M${x} ${y}C${x + bend} ${y} ${endX - bend} ${endY} ${endX} ${endY}`;
}
