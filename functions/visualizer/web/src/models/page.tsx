/** Models: every version with what it is worth, one or two of them in full. */
import { useState } from 'preact/hooks';
import { post, words } from '../api';
import { digits, instant, percent } from '../format';
import { useData } from '../shell/data';
import { Dialog, Facts, Trouble } from '../shell/parts';
import { address, go, type Place } from '../shell/router';
import { extent, NETWORK, parse, sentence, TARGETS, type Card, type Chosen, type Model, type VersionInfo } from './card';
import { Chart } from './scores';

export function ModelsPage({ place }: { place: Place }) {
  const { data, problem, reload } = useData<{ models: Model[] }>('/views/models');
  if (!data) return <div class="page">{problem === undefined ? <p class="quiet">Loading…</p> : <Trouble problem={problem} />}</div>;
  const model = data.models.find((one) => one.name === place.path[1]) ?? (place.path[1] === undefined ? data.models[0] : undefined);
  const version = place.query.get('version') ?? model?.latest ?? model?.versions[0]?.version;
  const first = model && version ? { name: model.name, version } : undefined;
  const other = parse(place.query.get('with'));
  const second = other && isSame(first, other) ? undefined : other;
  const onPromoted = () => {
    show(first, second);
    reload();
  };
  return (
    <section class="page">
      <header class="head">
        <h1>Models</h1>
        <span class="quiet">{data.models.length === 0 ? '' : 'choose one, and another to compare it with'}</span>
      </header>
      <Trouble problem={problem} />
      {data.models.length === 0 ? (
        <p class="empty">No model yet. A workflow with a training publishes one.</p>
      ) : (
        <Versions models={data.models} first={first} second={second} onPromoted={onPromoted} />
      )}
      {place.path[1] !== undefined && !model && <Trouble problem={`There is no model ${place.path[1]}.`} />}
      {first && <Cards first={first} second={second} />}
    </section>
  );
}

function Versions(props: { models: Model[]; first: Chosen | undefined; second: Chosen | undefined; onPromoted(): void }) {
  const rows = props.models.flatMap((model) => model.versions.map((version) => ({ model, version })));
  return (
    <div class="panel scroll" tabIndex={0} role="region" aria-label="Versions">
      <table class="versions">
        <thead>
          <tr>
            <th>Show</th>
            <th>Compare</th>
            <th>Model</th>
            <th>Version</th>
            <th>Trained</th>
            <th>Bars</th>
            <th class="number">Ahead</th>
            <th class="number">Epochs</th>
            <th>Graph</th>
            <th class="number">Volatility error</th>
            <th class="number">Direction right</th>
            <th />
          </tr>
        </thead>
        <tbody>
          {rows.map(({ model, version }) => (
            <Version key={`${model.name} ${version.version}`} model={model} version={version} {...props} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Version(props: { model: Model; version: VersionInfo; first: Chosen | undefined; second: Chosen | undefined; onPromoted(): void }) {
  const { model, version } = props;
  const own = { name: model.name, version: version.version };
  const isLatest = model.latest === version.version;
  const [volatility, direction] = ['volatility', 'direction'].map((key) => version.scores?.[key]?.[NETWORK]);
  return (
    <tr class={isSame(props.first, own) || isSame(props.second, own) ? 'chosen' : ''}>
      <td>
        <input
          type="radio"
          name="first"
          aria-label={`Show ${own.name} ${own.version}`}
          checked={isSame(props.first, own)}
          onChange={() => show(own, props.second)}
        />
      </td>
      <td>
        <input
          type="checkbox"
          aria-label={`Compare with ${own.name} ${own.version}`}
          checked={isSame(props.second, own)}
          disabled={isSame(props.first, own)}
          onChange={() => show(props.first, isSame(props.second, own) ? undefined : own)}
        />
      </td>
      <td>{own.name}</td>
      <td>
        {own.version} {isLatest && <span class="badge">in use</span>}
      </td>
      <td class="quiet">{version.trained_at === undefined ? '' : instant(version.trained_at).slice(0, 16)}</td>
      <td>{version.interval}</td>
      <td class="number">{version.horizon}</td>
      <td class="number">{version.epochs}</td>
      <td>{version.graph && <a class="clip graph" title={version.graph} href={address(['graph', version.graph])}>{version.graph}</a>}</td>
      <td class="number">{volatility && `${digits(volatility.mean)} ± ${digits(volatility.spread, 2)}`}</td>
      <td class="number">{direction && `${percent(direction.mean)} ± ${percent(direction.spread)}`}</td>
      <td class="number">{!isLatest && <Promote model={model} version={own.version} onPromoted={props.onPromoted} />}</td>
    </tr>
  );
}

function Promote({ model, version, onPromoted }: { model: Model; version: string; onPromoted(): void }) {
  const [isAsking, setAsking] = useState(false);
  const [problem, setProblem] = useState<string>();
  const promote = () =>
    post<unknown>(`/views/models/${encodeURIComponent(model.name)}/promote`, { version }).then(
      () => {
        setAsking(false);
        onPromoted();
      },
      (error: unknown) => setProblem(words(error)),
    );
  return (
    <>
      <button type="button" onClick={() => setAsking(true)}>
        Promote
      </button>
      {isAsking && (
        <Dialog title="Promote this version?" onClose={() => setAsking(false)}>
          <p>
            Predictions of <b>{model.name}</b> are made by <b>{version}</b> from now on
            {model.latest ? `, and no longer by ${model.latest}` : ''}.
          </p>
          <Trouble problem={problem} />
          <footer>
            <button type="button" onClick={() => setAsking(false)}>
              Leave it
            </button>
            <button type="button" class="main" onClick={() => void promote()}>
              Promote it
            </button>
          </footer>
        </Dialog>
      )}
    </>
  );
}

function Cards({ first, second }: { first: Chosen; second: Chosen | undefined }) {
  const one = useCard(first);
  const other = useCard(second);
  const cards = [one, ...(second ? [other] : [])];
  const known = cards.flatMap(({ card }) => card ?? []);
  return (
    <div class={`cards ${second ? 'two' : ''}`}>
      {cards.map(({ card, problem }, index) => (
        <article key={index} class="panel card" aria-label={card ? `${card.name} ${card.version}` : 'Model'}>
          <Trouble problem={problem} />
          {card && <Whole card={card} known={known} />}
        </article>
      ))}
    </div>
  );
}

function Whole({ card, known }: { card: Card; known: Card[] }) {
  return (
    <>
      <header class="head">
        <h2>
          {card.name} {card.version}
        </h2>
      </header>
      <Facts
        facts={[
          ['Trained', instant(card.created)],
          ['On', `${instant(card.range.from).slice(0, 10)} – ${instant(card.range.to).slice(0, 10)}, ${card.interval}`],
          ['Ahead', `${card.definition.horizon} bars`],
          ['Symbols', <span title={card.symbols.join(', ')}>{card.symbols.length}</span>],
          ['Features', <span title={card.definition.features.join(', ')}>{card.definition.features.length}</span>],
          ['Graph', <a href={address(['graph', card.graph])}>{card.graph}</a>],
          ...['epochs', 'hidden', 'batch', 'learning_rate', 'seed'].map((key): [string, string] => [key.replace('_', ' '), String(card.training[key] ?? '')]),
        ]}
      />
      <ul class="verdicts">
        {card.verdicts.map(({ words: said }) => (
          <li key={said}>{sentence(said)}</li>
        ))}
      </ul>
      <div class="charts">
        {TARGETS.filter(({ key }) => card.scores[key]).map((target) => (
          <Chart
            key={target.key}
            title={target.title}
            unit={target.unit}
            isMoreBetter={target.isMoreBetter}
            scores={card.scores[target.key] ?? {}}
            extent={extent(known.map((one) => one.scores[target.key] ?? {}))}
          />
        ))}
      </div>
    </>
  );
}

function useCard(chosen: Chosen | undefined): { card: Card | undefined; problem: string | undefined } {
  const path = chosen && `/views/models/${encodeURIComponent(chosen.name)}/${encodeURIComponent(chosen.version)}`;
  const { data, problem } = useData<Card | { card: Card }>(path);
  return { card: data && ('card' in data ? data.card : data), problem };
}

/** Names what is shown: the version in use may become another. */
function show(first: Chosen | undefined, second: Chosen | undefined): void {
  if (first) go(address(['models', first.name], { version: first.version, with: text(second) }), true);
}

function isSame(a: Chosen | undefined, b: Chosen): boolean {
  return a?.name === b.name && a.version === b.version;
}

function text(chosen: Chosen | undefined): string | undefined {
  return chosen && `${chosen.name}/${chosen.version}`;
}
