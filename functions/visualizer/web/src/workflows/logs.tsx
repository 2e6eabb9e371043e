/** The last log lines that name a task or a workflow. */
import { query } from '../api';
import { useData } from '../shell/data';
import { Trouble } from '../shell/parts';
import { plain, type LogLine } from './logline';

const LIMIT = 500;


export function Logs({ query: asked }: { query: Record<string, string> }) {
  const { data, problem, reload } = useData<{ lines: LogLine[] }>(query('/views/logs', { ...asked, limit: LIMIT }));
  if (problem !== undefined) return <Trouble problem={problem} />;
  const lines = data?.lines ?? [];
  return (
    <>
      <pre class="code logs" tabIndex={0} aria-label="Log lines">
        {lines.length > 0 ? lines.map(plain).join('\n') : data ? 'No line names it.' : 'Loading…'}
      </pre>
      <button type="button" onClick={reload}>
        Read again
      </button>
    </>
  );
}
