/** Starts a workflow: a form for the common kinds, and its JSON for everything else. */
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { post, Problem } from '../api';
import { Dialog } from '../shell/parts';
import { INTERVALS, inForm, KINDS, locate, text, type Draft, type Kind } from './draft';

const FIRST: Draft = {
  symbols: 'BTCUSDT, ETHUSDT',
  from: '2024-06-01',
  to: '2024-06-30',
  interval: '15m',
  model: '',
  kinds: new Set<Kind>(['candles', 'graph']),
};

export function Start(props: { onClose(): void; onStarted(id: string): void }) {
  const [draft, setDraft] = useState<Draft>(FIRST);
  /** What was written by hand; without it the form decides. */
  const [written, setWritten] = useState<string>();
  const [problem, setProblem] = useState<Problem>();
  const [isSending, setSending] = useState(false);
  const key = useRef(crypto.randomUUID());
  const area = useRef<HTMLTextAreaElement>(null);
  const ids = useId();
  const json = written ?? text(draft);
  const wrong = problem?.field === undefined ? undefined : inForm(problem.field);
  useEffect(() => {
    const place = problem?.field === undefined ? undefined : locate(json, problem.field);
    if (!place || !area.current) return;
    area.current.focus();
    area.current.setSelectionRange(place.from, place.to);
  }, [problem]);
  const change = (fields: Partial<Draft>) => {
    setProblem(undefined);
    setWritten(undefined);
    setDraft((before) => ({ ...before, ...fields }));
  };
  const send = async (event: Event) => {
    event.preventDefault();
    setSending(true);
    setProblem(undefined);
    try {
      const { queue_id: id } = await post<{ queue_id: string }>('/queues/start-pipeline', json, { 'idempotency-key': key.current });
      props.onStarted(id);
    } catch (error) {
      // A request that was refused may be mended and sent again; one whose answer was lost must stay one workflow.
      if (error instanceof Problem && error.status > 0) key.current = crypto.randomUUID();
      setProblem(error instanceof Problem ? error : new Problem(String(error), 'unknown', 0));
      setSending(false);
    }
  };
  const message = problem && (
    <p class="problem" role="alert" id={`${ids}-problem`} data-field={problem.field}>
      {problem.field !== undefined && <code>{problem.field}</code>} {problem.message}
    </p>
  );
  const described = problem ? { 'aria-describedby': `${ids}-problem` } : {};
  return (
    <Dialog title="Start a workflow" onClose={props.onClose} class="start">
      <form onSubmit={(event) => void send(event)} noValidate>
        <fieldset class="form" aria-label="Form">
          <label class="wide">
            Symbols
            <input
              name="symbols"
              value={draft.symbols}
              autofocus
              spellcheck={false}
              autocomplete="off"
              aria-invalid={wrong === 'symbols'}
              {...described}
              onInput={(event) => change({ symbols: event.currentTarget.value })}
            />
          </label>
          <label>
            From
            <input
              type="date"
              name="from"
              value={draft.from}
              aria-invalid={wrong === 'range'}
              {...described}
              onInput={(event) => change({ from: event.currentTarget.value })}
            />
          </label>
          <label>
            To, inclusive
            <input
              type="date"
              name="to"
              value={draft.to}
              aria-invalid={wrong === 'range'}
              {...described}
              onInput={(event) => change({ to: event.currentTarget.value })}
            />
          </label>
          <label>
            Interval
            <select name="interval" value={draft.interval} onChange={(event) => change({ interval: event.currentTarget.value })}>
              {INTERVALS.map((interval) => (
                <option key={interval}>{interval}</option>
              ))}
            </select>
          </label>
          <label>
            Name of the model
            <input name="model" value={draft.model} placeholder="made up if empty" onInput={(event) => change({ model: event.currentTarget.value })} />
          </label>
          <div class="kinds wide" role="group" aria-label="Stages">
            {KINDS.map(({ name, title, hint }) => (
              <label key={name} title={hint}>
                <input
                  type="checkbox"
                  name={name}
                  checked={draft.kinds.has(name)}
                  onChange={() => change({ kinds: toggled(draft.kinds, name) })}
                />
                {title}
              </label>
            ))}
          </div>
        </fieldset>
        <label class="raw">
          <span>
            Request as JSON <span class="quiet">{written === undefined ? 'as the form says' : 'written by hand'}</span>
          </span>
          <textarea
            ref={area}
            name="json"
            rows={12}
            spellcheck={false}
            value={json}
            aria-invalid={problem !== undefined}
            {...described}
            onInput={(event) => {
              setProblem(undefined);
              setWritten(event.currentTarget.value);
            }}
          />
        </label>
        {message}
        <footer>
          {written !== undefined && (
            <button type="button" onClick={() => change({})}>
              Back to the form
            </button>
          )}
          <span class="space" />
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class="main" disabled={isSending}>
            {isSending ? 'Starting…' : 'Start'}
          </button>
        </footer>
      </form>
    </Dialog>
  );
}

function toggled(kinds: ReadonlySet<Kind>, kind: Kind): ReadonlySet<Kind> {
  const after = new Set(kinds);
  if (!after.delete(kind)) after.add(kind);
  return after;
}
