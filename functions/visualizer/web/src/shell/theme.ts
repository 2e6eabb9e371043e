/** Light or dark: what the person chose here, else what the system says. */
import { useEffect, useState } from 'preact/hooks';

export type Choice = 'system' | 'light' | 'dark';

const KEY = 'theme';
const dark = window.matchMedia('(prefers-color-scheme: dark)');
const listeners = new Set<() => void>();
dark.addEventListener('change', tell);

export function chosen(): Choice {
  const kept = read();
  return kept === 'light' || kept === 'dark' ? kept : 'system';
}

/** Sets the document to the choice; the style sheet does the rest. */
export function applyTheme(): void {
  const choice = chosen();
  if (choice === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = choice;
}

export function choose(choice: Choice): void {
  try {
    localStorage.setItem(KEY, choice);
  } catch {
    // Without storage the choice holds as long as the page.
    document.documentElement.dataset['theme'] = choice;
  }
  applyTheme();
  tell();
}

/** A number that changes with the theme, for what draws on a canvas. */
export function useTheme(): number {
  const [version, setVersion] = useState(0);
  useEffect(() => {
    const listener = () => setVersion((before) => before + 1);
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return version;
}

const known = new Map<string, string>();

/** The present value of a colour of the style sheet, for what draws on a canvas. */
export function colour(name: string): string {
  let value = known.get(name);
  if (value === undefined) known.set(name, (value = measured(name)));
  return value;
}

function measured(name: string): string {
  const probe = document.createElement('span');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

function read(): string | null {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function tell(): void {
  known.clear();
  for (const listener of listeners) listener();
}
