/** Workflows: the list of all, or one of them. */
import type { Place } from '../shell/router';
import { Detail } from './detail';
import { List } from './list';

export function WorkflowsPage({ place }: { place: Place }) {
  const id = place.path[1];
  return id === undefined ? <List place={place} /> : <Detail key={id} id={id} tab={place.query.get('tab') ?? 'tasks'} task={place.query.get('task')} />;
}
