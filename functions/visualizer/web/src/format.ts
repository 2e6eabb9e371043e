/** Numbers and times as people read them; always UTC, always the same digits. */

const grouped = new Intl.NumberFormat('en-GB');

export function count(value: number): string {
  return grouped.format(value).replaceAll(',', '\u202f');
}

/** `2024-06-01 12:07:30`, from milliseconds or RFC 3339. */
export function instant(value: number | string): string {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? String(value) : date.toISOString().slice(0, 19).replace('T', ' ');
}

/** `12:07:30.250`. */
export function clock(value: number | string): string {
  const date = new Date(value);
  return Number.isNaN(date.getTime()) ? String(value) : date.toISOString().slice(11, 23);
}

export function day(value: number | string): string {
  return instant(value).slice(0, 10);
}

/** `850 ms`, `12.4 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`. */
export function duration(millis: number): string {
  if (!Number.isFinite(millis)) return '';
  if (millis < 1_000) return `${Math.max(0, Math.round(millis))} ms`;
  const seconds = millis / 1_000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  if (whole < 3_600) return `${Math.floor(whole / 60)} min ${two(whole % 60)} s`;
  if (whole < 86_400) return `${Math.floor(whole / 3_600)} h ${two(Math.floor((whole % 3_600) / 60))} min`;
  return `${Math.floor(whole / 86_400)} d ${Math.floor((whole % 86_400) / 3_600)} h`;
}

/** A number of so many digits that matter, without an exponent where people do not need one. */
export function digits(value: number, significant = 4): string {
  if (!Number.isFinite(value)) return '–';
  if (value === 0) return '0';
  const size = Math.abs(value);
  return size >= 1e9 || size < 1e-6 ? value.toExponential(significant - 1) : String(Number(value.toPrecision(significant)));
}

export function percent(share: number, places = 1): string {
  return Number.isFinite(share) ? `${(share * 100).toFixed(places)} %` : '–';
}

/** A decimal text without the noughts behind it that say nothing, but with so many places that it stands below others. */
export function decimal(text: string, least = 0): string {
  const [whole = '', fraction = ''] = text.split('.');
  const kept = fraction.replace(/0+$/, '').padEnd(least, '0');
  return kept === '' ? whole : `${whole}.${kept}`;
}

/** The places behind the point that say something in one of these texts. */
export function places(texts: readonly string[]): number {
  return texts.reduce((most, text) => Math.max(most, decimal(text).split('.')[1]?.length ?? 0), 0);
}

export function bytes(value: number): string {
  if (value < 1_000) return `${value} B`;
  return value < 1_000_000 ? `${(value / 1_000).toFixed(1)} kB` : `${(value / 1_000_000).toFixed(1)} MB`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
