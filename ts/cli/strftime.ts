// What strftime(3) makes of a conversion in the C locale, where Mosquitto's tools are, too.

const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday']
const MONTHS = [
  ...['January', 'February', 'March', 'April', 'May', 'June'],
  ...['July', 'August', 'September', 'October', 'November', 'December'],
]

const DAY = 24 * 60 * 60 * 1000

/** Conversions that stand for several others. */
const COMPOSITE: Readonly<Record<string, string>> = {
  c: '%a %b %e %H:%M:%S %Y',
  D: '%m/%d/%y',
  F: '%Y-%m-%d',
  R: '%H:%M',
  r: '%I:%M:%S %p',
  T: '%H:%M:%S',
  x: '%m/%d/%y',
  X: '%H:%M:%S',
}

const CONVERSIONS: Readonly<Record<string, (time: Date) => string>> = {
  '%': () => '%',
  a: (time) => name(DAYS, time.getDay()).slice(0, 3),
  A: (time) => name(DAYS, time.getDay()),
  b: (time) => name(MONTHS, time.getMonth()).slice(0, 3),
  B: (time) => name(MONTHS, time.getMonth()),
  C: (time) => two(Math.floor(time.getFullYear() / 100)),
  d: (time) => two(time.getDate()),
  e: (time) => two(time.getDate(), ' '),
  g: (time) => two(isoWeek(time).year % 100),
  G: (time) => String(isoWeek(time).year),
  h: (time) => name(MONTHS, time.getMonth()).slice(0, 3),
  H: (time) => two(time.getHours()),
  I: (time) => two(time.getHours() % 12 || 12),
  j: (time) => String(dayOfYear(time) + 1).padStart(3, '0'),
  k: (time) => two(time.getHours(), ' '),
  l: (time) => two(time.getHours() % 12 || 12, ' '),
  m: (time) => two(time.getMonth() + 1),
  M: (time) => two(time.getMinutes()),
  n: () => '\n',
  p: (time) => (time.getHours() < 12 ? 'AM' : 'PM'),
  P: (time) => (time.getHours() < 12 ? 'am' : 'pm'),
  s: (time) => String(Math.floor(time.getTime() / 1000)),
  S: (time) => two(time.getSeconds()),
  t: () => '\t',
  u: (time) => String(time.getDay() || 7),
  U: (time) => two(weekOfYear(time, time.getDay())),
  V: (time) => two(isoWeek(time).week),
  w: (time) => String(time.getDay()),
  W: (time) => two(weekOfYear(time, (time.getDay() + 6) % 7)),
  y: (time) => two(time.getFullYear() % 100),
  Y: (time) => String(time.getFullYear()),
  z: (time) => offset(time),
  Z: (time) => zone(time),
}

/** A time of this machine's zone, in strftime's language; a conversion that it does not know stays as it is. */
export function strftime(format: string, time: Date): string {
  return format.replaceAll(/%(.)/gs, (whole, letter: string) => {
    const composite = COMPOSITE[letter]
    if (composite !== undefined) return strftime(composite, time)
    return CONVERSIONS[letter]?.(time) ?? whole
  })
}

function name(names: readonly string[], index: number): string {
  return names[index] ?? ''
}

function two(value: number, pad = '0'): string {
  return String(value).padStart(2, pad)
}

/** Days since the first of January. Midnights in UTC have no daylight saving between them. */
function dayOfYear(time: Date): number {
  const day = Date.UTC(time.getFullYear(), time.getMonth(), time.getDate())
  return (day - Date.UTC(time.getFullYear(), 0, 1)) / DAY
}

/** @param daysIntoWeek days since the day with which weeks begin */
function weekOfYear(time: Date, daysIntoWeek: number): number {
  return Math.floor((dayOfYear(time) + 7 - daysIntoWeek) / 7)
}

/** ISO 8601: the week belongs to the year that has its Thursday. */
function isoWeek(time: Date): { year: number; week: number } {
  const thursday = new Date(time.getFullYear(), time.getMonth(), time.getDate() + 4 - (time.getDay() || 7))
  return { year: thursday.getFullYear(), week: Math.floor(dayOfYear(thursday) / 7) + 1 }
}

function offset(time: Date): string {
  const minutes = -time.getTimezoneOffset()
  const size = Math.abs(minutes)
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}${two(size % 60)}`
}

function zone(time: Date): string {
  const parts = new Intl.DateTimeFormat('en', { timeZoneName: 'short' }).formatToParts(time)
  return parts.find(({ type }) => type === 'timeZoneName')?.value ?? ''
}
