import { loadOptional } from '../../transports/optional-package.js'
import type { Load, Plan } from './load.js'

/** Shows on stderr how far a load has come: as a bar on a terminal, else as a line each second. */
export async function showProgress(load: Load, { duration, count }: Plan): Promise<() => void> {
  const isCounted = count < Number.POSITIVE_INFINITY
  const total = isCounted ? count : duration
  const done = () => Math.min(isCounted ? load.sent : load.elapsed, total)
  if (!process.stderr.isTTY) return showLines(load)
  const { default: progress } = await loadOptional(
    'cli-progress',
    'the progress bar',
    () => import('cli-progress'),
  )
  const bar = new progress.SingleBar(
    { format: '{bar} {percentage} %  out {sent}  in {received}', hideCursor: true, stream: process.stderr },
    progress.Presets.shades_classic,
  )
  const figures = () => ({ sent: grouped(load.sent), received: grouped(load.received) })
  bar.start(total, 0, figures())
  const timer = setInterval(() => bar.update(done(), figures()), 100)
  return () => {
    clearInterval(timer)
    bar.update(done(), figures())
    bar.stop()
  }
}

function showLines(load: Load): () => void {
  let [sent, received] = [0, 0]
  const timer = setInterval(() => {
    const rates = `out ${grouped(load.sent - sent)}/s  in ${grouped(load.received - received)}/s`
    process.stderr.write(`${Math.round(load.elapsed)} s  ${rates}\n`)
    sent = load.sent
    received = load.received
  }, 1000)
  return () => clearInterval(timer)
}

/** With commas between thousands. */
export function grouped(value: number): string {
  return Math.round(value).toLocaleString('en')
}
