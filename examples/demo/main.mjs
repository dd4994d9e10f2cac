// The demo: see options.mjs for what it does, or start it with --help.

import { UsageError } from '../command-line.mjs'
import { remoteBroker, startEmbeddedBroker, startMosquitto } from './brokers.mjs'
import { count, Display, deviceTable, summary } from './display.mjs'
import { windowSize } from './flow-window.mjs'
import { help, readOptions } from './options.mjs'
import { run } from './run.mjs'

/** Messages a second; below it, the demo says what the limit is, and measures Mosquitto for comparison. */
const goal = 100_000

/** Seconds that the comparison takes. */
const comparisonSeconds = 3

async function main() {
  const options = readOptions(process.argv.slice(2))
  if (options.help) return console.log(help)

  const ending = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => ending.abort())
  const broker = options.broker ? remoteBroker(options.broker) : await startEmbeddedBroker()
  const result = await runAndShow(broker, options, ending.signal)
  console.log(`\n${deviceTable(result.devices)}`)
  if (result.rate < goal && options.broker === null) await explain(result, options, ending.signal)
}

/** Runs, shows, stops the broker; sets the exit code when something was lost. */
async function runAndShow(broker, options, signal) {
  const { devices, connections, qos, seconds } = options
  console.log(
    `${count(devices)} devices publish through ${broker.name} for ${seconds} s, ` +
      `over ${count(connections)} connections, QoS ${qos}.\n` +
      `At most ${count(windowSize)} messages are on their way at once, so that the broker need not drop any.\n`,
  )
  const display = new Display(process.stdout, seconds)
  try {
    const onProgress = (progress) => display.show(progress)
    const result = await run(broker, options, { onProgress, interval: display.interval, signal })
    display.end()
    console.log(`\n${summary(broker.name, result)}`)
    if (result.lost !== 0) process.exitCode = 1
    return result
  } finally {
    await broker.stop()
  }
}

/** Says what limits the embedded broker's rate, and puts Mosquitto's figure beside it where there is Mosquitto. */
async function explain({ rate, busy: [busiest], cores }, options, signal) {
  console.log(
    `\nLess than ${count(goal)} messages a second: the ${busiest.thread} thread is the limit` +
      `${cores < busiest.share ? ', and other programs take cores from it' : ''}.`,
  )
  const mosquitto = signal.aborted ? null : await startMosquitto().catch(withoutComparison)
  if (mosquitto === null) return
  console.log('To compare, the same load through Mosquitto:')
  const compared = await runAndShow(mosquitto, { ...options, seconds: comparisonSeconds }, signal)
  console.log(`\nPer second: ${count(rate)} with aedes, ${count(compared.rate)} with Mosquitto`)
}

function withoutComparison(error) {
  console.log(`Mosquitto, to compare with, did not start: ${error.message}`)
  return null
}

// Whoever reads the output may have enough of it: `npm run demo | head`.
process.stdout.on('error', () => process.exit())

try {
  await main()
} catch (error) {
  console.error(explanation(error))
  process.exitCode = error instanceof UsageError ? 2 : 1
}

/** What the client says needs no stack. An error that comes from another thread has lost its class, but not its code. */
function explanation(error) {
  if (error instanceof UsageError) return `${error.message}\nTry: npm run demo -- --help`
  return error.code?.startsWith('ERR_MQTT_') ? error.message : error
}
