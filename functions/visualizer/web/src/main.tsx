/** Puts the pages into the document. */
import { render } from 'preact';
import { App } from './app';
import { applyTheme } from './shell/theme';

applyTheme();
const place = document.getElementById('page');
if (place) render(<App />, place);
