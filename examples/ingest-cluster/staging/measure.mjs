// How many rows a second with 1, 2 and 4 processes: medians, as a table in Markdown.

import { availableParallelism } from 'node:os'
import { addsUp, count } from './display.mjs'
import { run } from './run.mjs'

const processCounts = [1, 2, 4]
const rounds = 3

/**
 * @param {import('./options.mjs').Options} options
 * @param {AbortSignal} signal
 * @returns {Promise<boolean>} whether every run added up
 */
export async function measure(options, signal) {
  const results = new Map(processCounts.map((processes) => [processes, []]))
  let isGood = true
  // In turn, so that what else the machine does is spread over all of them.
  for (let round = 1; round <= rounds && !signal.aborted; round++) {
    for (const processes of processCounts) {
      const control = { onProgress: () => {}, interval: 1000, onEvent: console.log, signal }
      const result = await run({ ...options, processes }, control)
      isGood &&= addsUp(result)
      results.get(processes).push(result)
      console.log(`round ${round}, ${processes} processes: ${count(result.steady.rate)} rows/s`)
    }
  }
  console.log(`\n${table(results)}\n\n${conditions(options)}`)
  return isGood && !signal.aborted
}

function table(results) {
  const medians = [...results].map(([processes, runs]) => ({ processes, ...middle(runs) }))
  const [{ steady: base }] = medians
  const names = base.processors.map(({ name }) => name)
  return [
    ['processes', 'rows/s', 'ratio', 'rows a commit', 'cores', ...names.map((name) => `${name}: µs a row`)],
    ['---:', '---:', '---:', '---:', '---:', ...names.map(() => '---:')],
    ...medians.map(({ processes, verdict, batches, steady: { rate, processors } }) => [
      processes,
      count(rate),
      `${(rate / base.rate).toFixed(2)} ×`,
      count(verdict.rows / batches),
      processors.reduce((sum, { cores }) => sum + cores, 0).toFixed(2),
      ...processors.map(({ perRow }) => perRow.toFixed(1)),
    ]),
  ]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n')
}

/** The run whose rate is the median. */
function middle(runs) {
  return [...runs].sort((a, b) => a.steady.rate - b.steady.rate)[Math.floor(runs.length / 2)]
}

function conditions({ broker, devices, burst, seconds, size, age, workers }) {
  return (
    `Medians of ${rounds}, in turn, ${seconds} s each, without the first 2: ${count(devices)} devices that send ${burst} readings at once, batches of at most ${count(size)} or ` +
    `${age} ms, ${workers} worker a process, broker ${typeof broker === 'string' ? broker : broker.host}; ` +
    `all of it on ${availableParallelism()} cores, Node ${process.versions.node}.`
  )
}
