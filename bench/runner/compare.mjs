// A run: all scenarios, all clients, all rounds; then the table.

import { writeFileSync } from 'node:fs'
import { setup } from '../../scripts/setup.mjs'
import { Failure } from '../../scripts/steps.mjs'
import { installClients } from './install.mjs'
import { machine, versions } from './machine.mjs'
import { withBench } from './measure.mjs'
import { findMosquitto, measureWithMosquitto } from './mosquitto.mjs'
import { provideEngine, providePacer } from './programs.mjs'
import { Progress } from './progress.mjs'
import { describeRound, plainTable, rowsOf, writeForReaders } from './report.mjs'
import { Results } from './results.mjs'

/** Above this share of the peer's own speed, the peer may be what was measured. */
const NEAR_CEILING = 0.8

/** A measurement is repeated when other programs used more than this share of the processors meanwhile, … */
const DISTURBED = 0.08

/** … but only so often in a run. */
const MOST_REPETITIONS = 50

/** The most often for one measurement. */
const REPETITIONS = 3

/**
 * @param {object[]} own scenarios against the peer
 * @param {object[]} withBroker scenarios against Mosquitto
 * @param {ReturnType<typeof import('./options.mjs').parseOptions>} options
 */
export async function compare(own, withBroker, options) {
  setup({ mosquitto: withBroker.length > 0 })
  installClients()
  const { clients, rounds, size } = options
  const engine = own.some((scenario) => scenario.engine) ? provideEngine(options.engine) : null
  const pacer = withBroker.some((scenario) => scenario.pace) ? providePacer() : null
  const brokerScenarios = withBroker.filter((scenario) => !scenario.pace || pacer !== null)
  const started = new Date()
  const steps = own.flatMap((scenario) => stepsOf(scenario, clients, rounds, engine))
  const brokerSteps = brokerScenarios.flatMap((scenario) =>
    stepsOf(scenario, clients, scenario.once ? 1 : rounds, null),
  )
  const results = new Results()
  const progress = new Progress(steps.length + brokerSteps.length)

  let repetitions = options.quick ? 0 : MOST_REPETITIONS
  const takeQuietly = (step, measure) =>
    take(step, results, progress, async () => {
      let best = await measure()
      for (let i = 0; i < REPETITIONS && best.disturbance > DISTURBED && repetitions > 0; i++) {
        repetitions -= 1
        const next = await measure()
        if (next.disturbance < best.disturbance) best = next
      }
      return best
    })
  await withBench(own, async (bench) => {
    for (const step of steps) {
      await takeQuietly(step, () => bench.measure(step.scenario, step.client, size, engine))
    }
  })
  const programs = { mosquitto: findMosquitto(), pacer }
  for (const step of brokerSteps) {
    await takeQuietly(step, () => measureWithMosquitto(programs, step.scenario, step.client, size))
  }
  progress.clear()

  const run = {
    date: started.toISOString(),
    minutes: (Date.now() - started) / 60e3,
    machine: machine(),
    versions: versions(),
    parameters: { rounds, ...size, quick: options.quick },
  }
  const scenarios = [...own, ...brokerScenarios]
  report(run, rowsOf(scenarios, results), scenarios, results, options)
}

/** The clients take turns within each round; the peer's own speed is measured in the first one. */
function stepsOf(scenario, clients, rounds, engine) {
  const steps = []
  for (let round = 1; round <= rounds; round++) {
    const able = clients.filter((client) => !(client in scenario.without))
    if (scenario.engine && engine !== null) able.push('engine')
    if (scenario.ceiling && round === 1) able.push('raw')
    steps.push(...able.map((client) => ({ scenario, client, round })))
  }
  return steps
}

async function take({ scenario, client, round }, results, progress, measure) {
  const name = `${scenario.id}, round ${round}, ${client}`
  try {
    const figures = await measure()
    results.add(scenario.id, client, figures)
    progress.step(`${name}: ${describeRound(scenario, figures)}`)
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    results.fail(scenario.id, client, error.message)
    progress.step(`${name}: failed`)
  }
}

function report(run, rows, scenarios, results, options) {
  const { clients, json } = options
  const { processor, cores, memoryGiB, system } = run.machine
  const named = Object.entries(run.versions).filter(([, version]) => version !== null)
  console.log(`\n${processor}, ${cores} cores, ${memoryGiB} GiB, ${system}`)
  console.log(`${named.map(([name, version]) => `${name} ${version}`).join(', ')}\n`)
  console.log(plainTable(rows, [...clients, 'engine', 'raw']))
  for (const line of [...remarks(rows, results), ...results.failures.map(describeFailure)])
    console.log(`\n${line}`)
  if (results.failures.length > 0) process.exitCode = 1

  writeForReaders(rows, options)
  if (json !== undefined) {
    const details = scenarios.map(({ id, program, parameters }) => ({ id, program, parameters }))
    const document = { ...run, rows, scenarios: details, figures: results, failures: results.failures }
    writeFileSync(json, `${JSON.stringify(document, null, 2)}\n`)
  }
}

function remarks(rows, results) {
  const disturbed = results.count('disturbance', (share) => share > DISTURBED)
  const remark = `Other programs used more than ${DISTURBED * 100} % of the processors during ${disturbed} measurements.`
  return [...(disturbed > 0 ? [remark] : []), ...nearCeiling(rows)]
}

function nearCeiling(rows) {
  return rows
    .filter(({ figures, better }) => better === 'more' && figures.aiomqtt && figures.raw)
    .map(({ title, figures }) => ({ title, share: figures.aiomqtt.median / figures.raw.median }))
    .filter(({ share }) => share > NEAR_CEILING)
    .map(
      ({ title, share }) =>
        `${title}: at ${Math.round(share * 100)} % of the peer's own speed, which may be the limit.`,
    )
}

function describeFailure({ scenario, client, message }) {
  return `${scenario}, ${client}: ${message}`
}
