/** Tells whether what is shown is live: nothing is said of it where nothing is followed. */
import { useEffect, useState } from 'preact/hooks';
import { links } from '../stream';
import type { State } from '../links';

const BACK_MILLIS = 4_000;

export function Connection() {
  const [state, setState] = useState<State>(links.state);
  const [isBack, setBack] = useState(false);
  useEffect(
    () =>
      links.listen(() =>
        setState((before) => {
          const now = links.state;
          if (before === 'lost' && now === 'live') setBack(true);
          if (now === 'lost') setBack(false);
          return now;
        }),
      ),
    [],
  );
  useEffect(() => {
    if (!isBack) return;
    const timer = setTimeout(() => setBack(false), BACK_MILLIS);
    return () => clearTimeout(timer);
  }, [isBack]);
  const text = { none: '', live: isBack ? 'Connection is back' : 'Live', lost: 'Connection lost, trying again' }[state];
  return (
    <p class={`connection ${state}`} role="status" data-state={state}>
      {text}
    </p>
  );
}
