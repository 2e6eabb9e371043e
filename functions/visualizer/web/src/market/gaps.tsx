/** What is missing of a symbol, and what came late, with the reason that the feed gave. */
import { count, instant } from '../format';
import { Cell, Rows } from '../shell/rows';
import type { Gap } from './bars';
import type { Completeness } from './feed';

export interface Hole {
  stream: string;
  state: 'missing' | 'open' | 'left' | 'filled';
  from: number;
  to: number;
  /** How many records; of what was declared by numbers, how many numbers. */
  missing: number | undefined;
  why: string;
  /** Whether from and to are times, and not ids. */
  isTime: boolean;
  since: number | undefined;
}

const ORDER: Record<Hole['state'], number> = { open: 0, missing: 1, left: 1, filled: 2 };

/** All holes of all series: those that stand before those that were closed, newest first. */
export function holesOf(coverage: Completeness[]): Hole[] {
  const all = coverage.flatMap((series): Hole[] => {
    const isTime = series.stream.startsWith('klines_');
    const declared = series.declared.map((gap): Hole => ({ ...gap, missing: isTime ? undefined : gap.to - gap.from + 1, isTime }));
    const covers = (gap: Gap) => series.declared.some((told) => isTime && told.state !== 'filled' && told.from <= gap.from && told.to >= gap.to);
    const missing = series.missing
      .filter((gap) => !covers(gap))
      .map((gap): Hole => ({ stream: series.stream, state: 'missing', ...gap, why: 'the exchange has none, or it was never asked', isTime: true, since: undefined }));
    return [...missing, ...declared];
  });
  return all.sort((a, b) => ORDER[a.state] - ORDER[b.state] || (b.since ?? b.from) - (a.since ?? a.from));
}

export function Gaps({ coverage, onShow }: { coverage: Completeness[]; onShow(hole: Hole): void }) {
  const all = holesOf(coverage);
  return (
    <Rows
      label="Gaps"
      layout="holes"
      columns={['State', 'Series', 'From', 'To', 'Records', 'Why']}
      count={all.length}
      height={26}
      keyOf={(index) => String(index)}
      row={(index) => {
        const hole = all[index];
        return (
          hole && (
            <>
              <Cell class={hole.state === 'filled' ? 'quiet' : 'bad'}>{hole.state}</Cell>
              <Cell class="clip">{hole.stream}</Cell>
              <Cell class="clip">
                {hole.isTime ? (
                  <button type="button" class="link" onClick={() => onShow(hole)}>
                    {instant(hole.from)}
                  </button>
                ) : (
                  <span>{hole.from}</span>
                )}
              </Cell>
              <Cell class="clip">{hole.isTime ? instant(hole.to) : hole.to}</Cell>
              <Cell class="number">{hole.missing === undefined ? '' : count(hole.missing)}</Cell>
              <Cell class="clip quiet" title={hole.why}>
                {hole.why}
              </Cell>
            </>
          )
        );
      }}
      empty="Nothing is missing, and nothing came late."
    />
  );
}
