/** The frame around all pages, and which page an address shows. */
import type { ComponentType } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { words } from './api';
import { Connection } from './shell/connection';
import { address, go, usePlace, type Place } from './shell/router';
import { choose, chosen, type Choice } from './shell/theme';

export type Page = ComponentType<{ place: Place }>;

/** Pages are loaded when they are first looked at: charts and graphs are large. */
const PAGES: { name: string; title: string; load(): Promise<Page> }[] = [
  { name: 'workflows', title: 'Workflows', load: async () => (await import('./workflows/page')).WorkflowsPage },
  { name: 'market', title: 'Market', load: async () => (await import('./market/page')).MarketPage },
  { name: 'graph', title: 'Graph', load: async () => (await import('./graph/page')).GraphPage },
  { name: 'models', title: 'Models', load: async () => (await import('./models/page')).ModelsPage },
  { name: 'platform', title: 'Platform', load: async () => (await import('./platform/page')).PlatformPage },
];

export function App() {
  const place = usePlace();
  const name = place.path[0] ?? 'workflows';
  const entry = PAGES.find((page) => page.name === name);
  useEffect(() => {
    const below = place.path.slice(1).join(' / ');
    document.title = `${below ? `${below} · ` : ''}${entry?.title ?? 'Not found'} · StreamForge`;
  }, [place, entry]);
  return (
    <>
      <a class="skip" href="#main" data-document>
        To the content
      </a>
      <header class="bar">
        <a class="brand" href="/workflows">
          StreamForge
        </a>
        <nav aria-label="Pages">
          {PAGES.map((page) => (
            <a key={page.name} href={`/${page.name}`} aria-current={page.name === name ? 'page' : undefined}>
              {page.title}
            </a>
          ))}
        </nav>
        <Connection />
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1}>
        {entry ? <Shown key={entry.name} entry={entry} place={place} /> : <Unknown />}
      </main>
    </>
  );
}

function Shown(props: { entry: (typeof PAGES)[number]; place: Place }) {
  const [page, setPage] = useState<{ Page?: Page; problem?: string | undefined }>({});
  useEffect(() => {
    props.entry.load().then(
      (Page) => setPage({ Page }),
      (error: unknown) => setPage({ problem: words(error) }),
    );
  }, [props.entry]);
  if (page.Page) return <page.Page place={props.place} />;
  if (page.problem === undefined) return <p class="quiet pad">Loading…</p>;
  return (
    <div class="pad">
      <p class="problem" role="alert">
        The page could not be loaded: {page.problem}
      </p>
      <button type="button" onClick={() => location.reload()}>
        Load again
      </button>
    </div>
  );
}

function Unknown() {
  return (
    <div class="pad">
      <h1>There is no such page</h1>
      <button type="button" onClick={() => go(address(['workflows']))}>
        To the workflows
      </button>
    </div>
  );
}

function ThemeSwitch() {
  const [choice, setChoice] = useState<Choice>(chosen);
  return (
    <label class="theme">
      <span class="hidden">Theme</span>
      <select
        value={choice}
        onChange={(event) => {
          const value = event.currentTarget.value as Choice;
          choose(value);
          setChoice(value);
        }}
      >
        <option value="system">System</option>
        <option value="light">Light</option>
        <option value="dark">Dark</option>
      </select>
    </label>
  );
}
