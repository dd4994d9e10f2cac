// Puts on stage what the service needs: a broker, PostgreSQL, devices, and somebody who keeps the processes running. See
// options.mjs for what it does, or start it with --help.

import { UsageError } from '../../command-line.mjs'
import { addsUp, count, Display, summary } from './display.mjs'
import { measure } from './measure.mjs'
import { help, readOptions } from './options.mjs'
import { run } from './run.mjs'

async function main() {
  const options = readOptions(process.argv.slice(2))
  if (options.help) return console.log(help)
  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => ending.abort())
  const isGood = options.measure
    ? await measure(options, ending.signal)
    : await runAndShow(options, ending.signal)
  if (!isGood) process.exitCode = 1
}

async function runAndShow(options, signal) {
  const { devices, processes, workers, seconds } = options
  console.log(
    `${count(devices)} devices publish for ${seconds} s; ${processes} processes with ${workers} workers each write.\n`,
  )
  const display = new Display(process.stdout)
  const result = await run(options, {
    onProgress: (progress) => display.show(progress),
    interval: display.interval,
    onEvent: (event) => display.event(event),
    signal,
  })
  display.end()
  const isGood = addsUp(result)
  console.log(`\n${summary(options, result)}\n`)
  console.log(isGood ? 'Every acknowledged message is there, once.' : 'It does not add up.')
  return isGood
}

// Whoever reads the output may have enough of it: `npm run ingest-cluster | head`.
process.stdout.on('error', () => process.exit())

try {
  await main()
} catch (error) {
  const isUsage = error instanceof UsageError
  console.error(isUsage ? `${error.message}\nTry: npm run ingest-cluster -- --help` : error)
  process.exitCode = isUsage ? 2 : 1
}
