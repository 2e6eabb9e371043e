/** Small pieces that all pages share. */
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { setQuery } from './router';

const SHAPES: Record<string, string> = {
  pending: 'M8 3.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 1 1 0-9',
  running: 'M8 3.5a4.5 4.5 0 1 1-4.5 4.5',
  live: 'M4.5 11.5a5 5 0 0 1 0-7M11.5 4.5a5 5 0 0 1 0 7M8 7.2a.8.8 0 1 1 0 1.6a.8.8 0 1 1 0-1.6',
  finished: 'M3.5 8.5l3 3l6-7',
  stopped: 'M4.5 4.5h7v7h-7z',
  failed: 'M4.5 4.5l7 7M11.5 4.5l-7 7',
};

const KINDS: Record<string, string> = {
  loading: 'running',
  started: 'running',
  loaded: 'running',
  sent: 'pending',
  waiting: 'pending',
  done: 'finished',
  error: 'failed',
  good: 'finished',
  degraded: 'pending',
  poor: 'failed',
};

/** A status as a shape and a word, so that neither colour nor shape is needed alone. */
export function Status({ name }: { name: string }) {
  const kind = KINDS[name] ?? name;
  return (
    <span class={`status ${kind}`}>
      <svg viewBox="0 0 16 16" aria-hidden="true">
        <path d={SHAPES[kind] ?? SHAPES['pending']} />
      </svg>
      {name}
    </span>
  );
}

export function Progress(props: { done: number; total: number; label: string; status?: string }) {
  const share = props.total === 0 ? 0 : (props.done / props.total) * 100;
  return (
    <span
      class={`progress ${props.status ?? ''}`}
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={props.total}
      aria-valuenow={props.done}
    >
      <span style={{ width: `${share}%` }} />
    </span>
  );
}

/** Why something could not be shown or done. */
export function Trouble({ problem }: { problem: string | undefined }) {
  return problem === undefined ? null : (
    <p class="problem" role="alert">
      {problem}
    </p>
  );
}

/** Tabs whose choice is part of the address. */
export function Tabs(props: { label: string; name?: string; tabs: [string, string][]; chosen: string }) {
  return (
    <div class="tabs" role="group" aria-label={props.label}>
      {props.tabs.map(([key, title]) => (
        <button
          type="button"
          key={key}
          aria-pressed={key === props.chosen}
          onClick={() => setQuery({ [props.name ?? 'tab']: key })}
        >
          {title}
        </button>
      ))}
    </div>
  );
}

/** A dialog that is open as long as it is in the document. */
export function Dialog(props: { title: string; onClose(): void; children: ComponentChildren; class?: string }) {
  const place = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const dialog = place.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    <dialog ref={place} class={props.class} aria-label={props.title} onCancel={props.onClose} onClose={props.onClose}>
      <header>
        <h2>{props.title}</h2>
        <button type="button" class="plain" aria-label="Close" onClick={props.onClose}>
          ✕
        </button>
      </header>
      {props.children}
    </dialog>
  );
}

/** Terms and what they are, in a grid. */
export function Facts({ facts }: { facts: [string, ComponentChildren][] }) {
  return (
    <dl class="facts">
      {facts
        .filter(([, value]) => value !== undefined && value !== null && value !== '')
        .map(([term, value]) => (
          <div key={term}>
            <dt>{term}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
