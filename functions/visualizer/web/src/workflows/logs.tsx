/** The last log lines that name a task or a workflow. */
import { query } from '../api';
import { useData } from '../shell/data';
import { Trouble } from '../shell/parts';

const LIMIT = 500;

/** A line as text, or as the object that a worker logged. */
type LogLine = string | { at?: string; worker?: string; function?: string; line?: string };

export function Logs({ query: asked }: { query: Record<string, string> }) {
  const { data, problem, reload } = useData<{ lines: LogLine[] }>(query('/views/logs', { ...asked, limit: LIMIT }));
  if (problem !== undefined) return <Trouble problem={problem} />;
  const lines = data?.lines ?? [];
  return (
    <>
      <pre class="code logs" tabIndex={0} aria-label="Log lines">
        {lines.length > 0 ? lines.map(shown).join('\n') : data ? 'No line names it.' : 'Loading…'}
      </pre>
      <button type="button" onClick={reload}>
        Read again
      </button>
    </>
  );
}

function shown(line: LogLine): string {
  if (typeof line === 'string') return line;
  return [line.at, line.worker ?? line.function, line.line].filter((part) => part !== undefined).join(' ');
}
