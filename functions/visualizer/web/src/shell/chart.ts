/** What all charts have in common: colours of the style sheet, system fonts, nothing loaded. */
import { ColorType, CrosshairMode } from 'lightweight-charts';
import { colour } from './theme';

export function frame() {
  return {
    layout: {
      attributionLogo: false,
      background: { type: ColorType.Solid as const, color: 'transparent' },
      textColor: colour('quiet'),
      fontFamily: 'system-ui, sans-serif',
      fontSize: 11,
      panes: { separatorColor: colour('line'), enableResize: false },
    },
    grid: { vertLines: { color: colour('raised') }, horzLines: { color: colour('raised') } },
    crosshair: { mode: CrosshairMode.Normal },
    rightPriceScale: { borderColor: colour('line') },
    timeScale: { borderColor: colour('line') },
    localization: { locale: 'en-GB' },
  };
}
