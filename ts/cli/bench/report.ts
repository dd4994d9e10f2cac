import { PERCENTILES } from './latency.js'
import type { Load, Plan } from './load.js'
import { grouped } from './progress.js'

/** Characters of the longest bar. */
const WIDTH = 40

const EIGHTHS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉']

/** What a load came to, for machines. Times of latencies are milliseconds. */
export function figuresOf(load: Load, { size }: Plan): Record<string, unknown> {
  const { sent, received, failed, lost, seconds, latencies } = load
  const percentiles = PERCENTILES.map((percent) => [`p${percent}`, latencies.percentile(percent)])
  return {
    out: direction(sent - failed, seconds.out, size),
    in: direction(received, seconds.in, size),
    failed,
    lost,
    latency: received === 0 ? null : { ...Object.fromEntries(percentiles), max: latencies.max },
    histogram: latencies.bars,
  }
}

function direction(messages: number, seconds: number, size: number): Record<string, number> {
  const rate = seconds === 0 ? 0 : messages / seconds
  return { messages, seconds, messagesPerSecond: rate, bytesPerSecond: rate * size }
}

/** The same for people. */
export function reportOf(load: Load, plan: Plan): string {
  const { latencies, lost, failed, received } = load
  const expected = received + lost
  const share = expected === 0 ? 0 : (lost / expected) * 100
  const lines = [
    rateLine('out', load.sent - failed, load.seconds.out, plan.size),
    rateLine('in', received, load.seconds.in, plan.size),
    `lost     ${grouped(lost)} (${share.toFixed(share > 0 && share < 1 ? 3 : 0)} %)`,
  ]
  if (failed > 0) lines.push(`failed   ${grouped(failed)}: ${(load.failure as Error | null)?.message}`)
  if (received === 0) return `${lines.join('\n')}\n`
  const percentiles = PERCENTILES.map((percent) => `p${percent} ${time(latencies.percentile(percent))}`)
  lines.push(`latency  ${[...percentiles, `max ${time(latencies.max)}`].join('   ')}`, '')
  const { bars } = latencies
  const most = Math.max(...bars.map(({ count }) => count))
  for (const { from, to, count } of bars) {
    const range = `${time(from).padStart(9)} – ${time(to).padEnd(9)}`
    lines.push(`${range}  ${draw(count / most)} ${grouped(count)}`)
  }
  return `${lines.join('\n')}\n`
}

function rateLine(name: string, messages: number, seconds: number, size: number): string {
  const rate = seconds === 0 ? 0 : messages / seconds
  const megabytes = ((rate * size) / 1e6).toFixed(2)
  return `${name.padEnd(8)} ${grouped(rate)} messages/s   ${megabytes} MB/s   ${grouped(messages)} messages in ${seconds.toFixed(1)} s`
}

function time(milliseconds: number): string {
  if (milliseconds < 1) return `${Math.round(milliseconds * 1000)} µs`
  return milliseconds < 1000
    ? `${milliseconds.toPrecision(3)} ms`
    : `${(milliseconds / 1000).toPrecision(3)} s`
}

/** @param share of the longest bar, 0 to 1 */
function draw(share: number): string {
  const eighths = Math.ceil(share * WIDTH * 8)
  return `${'█'.repeat(Math.floor(eighths / 8))}${EIGHTHS[eighths % 8]}`
}
