/** Programs that the tests start, and stop again by their process id. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';

const START_MILLIS = 60_000;

export interface Started {
  child: ChildProcess;
  /** What was found in a line of its output. */
  found: string;
  /** What it wrote, for whoever wants to know why it failed. */
  output(): string;
}

/** Starts a program and waits for the line in which `find` finds something. */
export function start(program: string, parameters: string[], find: (line: string) => string | undefined, environment: Record<string, string> = {}): Promise<Started> {
  const child = spawn(program, parameters, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...environment } });
  const lines: string[] = [];
  const output = () => lines.slice(-40).join('\n');
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`${program} ${parameters.join(' ')} did not start:\n${output()}`));
    }, START_MILLIS);
    const read = (line: string) => {
      lines.push(line);
      if (lines.length > 2_000) lines.splice(0, 1_000);
      const found = find(line);
      if (found === undefined) return;
      clearTimeout(late);
      resolve({ child, found, output });
    };
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', read);
    child.on('error', reject);
    child.on('exit', (code) => {
      clearTimeout(late);
      reject(new Error(`${program} ended with ${code}:\n${output()}`));
    });
  });
}

/** Ends a program and waits until it is gone. */
export async function stop(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  const patience = setTimeout(() => child.kill('SIGKILL'), 20_000);
  child.kill(signal);
  await gone;
  clearTimeout(patience);
}
