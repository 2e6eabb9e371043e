/** A line of a worker's log as people read it: time, function, level, words, and the rest as it is. */

export interface LogLine {
  /** When, as the line says; empty for one that does not. */
  at: string;
  function: string;
  text: string;
}

/** The line without what its neighbours say as well; one that is no JSON stays as it is. */
export function plain({ at, function: name, text }: LogLine): string {
  const logged = object(text);
  if (!logged) return [at, name, text].filter((part) => part !== '').join(' ');
  const { timestamp, level, fields, target: _target, span: _span, spans: _spans, ...others } = logged;
  const all = { ...others, ...(typeof fields === 'object' && fields !== null ? fields : {}) } as Record<string, unknown>;
  const { message, ...rest } = all;
  const details = Object.entries(rest).map(([key, value]) => `${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const time = String(timestamp ?? at).replace('T', ' ').slice(0, 23);
  return [time, String(level ?? '').padEnd(5), name, String(message ?? ''), ...details].filter((part) => part.trim() !== '').join(' ');
}

function object(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}
