/** Places graphs beside the page, which stays quick meanwhile. */
import { place, type Outline } from './layout';

/** Between two pictures, so that drawing them does not hold up the placing. */
const BETWEEN_MILLIS = 300;

self.onmessage = ({ data }: MessageEvent<Outline>) => {
  let told = Number.NEGATIVE_INFINITY;
  for (const placed of place(data)) {
    if (!placed.isSettled && performance.now() - told < BETWEEN_MILLIS) continue;
    told = performance.now();
    self.postMessage(placed);
  }
};
