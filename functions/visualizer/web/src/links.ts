/** How the connections of a page stand, all of them together. */

/** `none`: nothing is followed; `live`: all stand; `lost`: at least one broke and is tried again. */
export type State = 'none' | 'live' | 'lost';

type Standing = 'new' | 'up' | 'down';

/** The connections of a page. */
export class Links {
  #standing = new Map<number, Standing>();
  #listeners = new Set<() => void>();
  #next = 0;

  /** Adds a connection that does not stand yet. */
  add(): { isUp(): void; isDown(): void; remove(): void } {
    const key = this.#next++;
    this.#set(key, 'new');
    return {
      isUp: () => this.#set(key, 'up'),
      isDown: () => this.#set(key, 'down'),
      remove: () => {
        this.#standing.delete(key);
        this.#tell();
      },
    };
  }

  get state(): State {
    const all = [...this.#standing.values()];
    if (all.includes('down')) return 'lost';
    return all.includes('up') ? 'live' : 'none';
  }

  listen(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #set(key: number, standing: Standing): void {
    if (this.#standing.get(key) === standing) return;
    this.#standing.set(key, standing);
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
