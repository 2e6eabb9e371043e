/** Calls to the server: the data of a good answer, or a problem in the server's own words. */

/** Why a call failed; `field` names the part of the request that was wrong. */
export class Problem extends Error {
  constructor(
    message: string,
    readonly code: string,
    readonly status: number,
    readonly field?: string,
  ) {
    super(message);
  }
}

export function get<T>(path: string, signal?: AbortSignal): Promise<T> {
  return call<T>(path, signal ? { signal } : {});
}

export function post<T>(path: string, body: unknown, headers: Record<string, string> = {}): Promise<T> {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return call<T>(path, { method: 'POST', body: text, headers: { 'content-type': 'application/json', ...headers } });
}

/** A path with its query; what is undefined is left out. */
export function query(path: string, parameters: Record<string, string | number | undefined>): string {
  const given = Object.entries(parameters).filter(([, value]) => value !== undefined && value !== '');
  const text = new URLSearchParams(given.map(([name, value]) => [name, String(value)])).toString();
  return text === '' ? path : `${path}?${text}`;
}

/** What to tell a person of any failure; none for a call that was given up on purpose. */
export function words(error: unknown): string | undefined {
  if (error instanceof DOMException && error.name === 'AbortError') return undefined;
  return error instanceof Error ? error.message : String(error);
}

async function call<T>(path: string, init: RequestInit): Promise<T> {
  let response: Response;
  try {
    response = await fetch(path, init);
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error;
    throw new Problem('the server does not answer', 'unreachable', 0);
  }
  const answer: unknown = await response.json().catch(() => undefined);
  if (!isAnswer(answer)) {
    throw new Problem(`the server answered ${response.status} without saying why`, 'no_answer', response.status);
  }
  if (answer.status === 'success') return answer.data as T;
  throw new Problem(answer.message, answer.code ?? 'unknown', response.status, answer.field);
}

interface Answer {
  status: string;
  message: string;
  code?: string;
  field?: string;
  data: unknown;
}

function isAnswer(value: unknown): value is Answer {
  return typeof value === 'object' && value !== null && 'status' in value && 'message' in value;
}
