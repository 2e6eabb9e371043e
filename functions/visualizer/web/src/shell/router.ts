/** Addresses of pages: `/workflows/{id}` and the like, moved through without loading the document anew. */
import { useEffect, useState } from 'preact/hooks';

export interface Place {
  /** Parts of the path, decoded. */
  path: string[];
  query: URLSearchParams;
}

export function parse(path: string, search: string): Place {
  const parts = path.split('/').filter((part) => part !== '').map(decode);
  return { path: parts, query: new URLSearchParams(search) };
}

/** The address of a page; every part is escaped. */
export function address(parts: string[], query: Record<string, string | undefined> = {}): string {
  const path = `/${parts.map(encodeURIComponent).join('/')}`;
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined && entry[1] !== '');
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`;
}

/** Goes to an address; `replace` leaves no step in the history. */
export function go(to: string, replace = false): void {
  if (replace) history.replaceState(null, '', to);
  else history.pushState(null, '', to);
  window.dispatchEvent(new Event('place'));
  if (!replace) window.scrollTo(0, 0);
}

/** Changes parts of the query and stays where one is. */
export function setQuery(changes: Record<string, string | undefined>): void {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  go(text === '' ? location.pathname : `${location.pathname}?${text}`, true);
}

/** Where one is, and again whenever that changes. */
export function usePlace(): Place {
  const [place, setPlace] = useState(() => parse(location.pathname, location.search));
  useEffect(() => {
    const update = () => setPlace(parse(location.pathname, location.search));
    window.addEventListener('popstate', update);
    window.addEventListener('place', update);
    document.addEventListener('click', followLink);
    return () => {
      window.removeEventListener('popstate', update);
      window.removeEventListener('place', update);
      document.removeEventListener('click', followLink);
    };
  }, []);
  return place;
}

/** A plain click on a link of our own goes there without a new document. */
function followLink(event: MouseEvent): void {
  if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
  const link = event.target instanceof Element ? event.target.closest('a') : null;
  if (!link || link.origin !== location.origin || link.target !== '' || link.hasAttribute('data-document')) return;
  event.preventDefault();
  go(link.pathname + link.search);
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
