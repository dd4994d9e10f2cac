// One run: broker, database, devices and the processes of the service, from start to the verdict.

import { fork } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { within } from '../../../build/test/helpers/deadline.js'
import { Postgres } from '../../../build/test/helpers/postgres.js'
import { startBroker } from './brokers.mjs'
import { verdictOf } from './ledger.mjs'
import { hasProcessorTime, processorTime, ticksPerSecond } from './processor-time.mjs'
import { Supervised } from './supervisor.mjs'
import { filtersOf, topicsOf } from './topics.mjs'

/** The most messages between the devices and the table when the devices publish as many as get written. */
const room = 20_000
/** Seconds that nothing may be written at the end before what is missing counts as lost. */
const patience = 15
/** Seconds in which compilers warm up and connections fill, which Result.steady leaves out. */
const warmUp = 2
/** Seconds between the end of the database and its next start. */
const absence = 1

/** Milliseconds that the service may take to be ready. */
const startPatience = 60_000

const schema = readFileSync(new URL('../schema.sql', import.meta.url), 'utf8')
const fleetProgram = fileURLToPath(new URL('fleet.mjs', import.meta.url))

/**
 * @typedef {object} Progress
 * @property {number} elapsed seconds
 * @property {number} acknowledged messages that the broker has taken
 * @property {number} written messages that are in the table
 * @property {number} batches
 * @property {number} lag milliseconds from a device to the table, for the oldest message since the last report
 */

/**
 * @typedef {object} Result
 * @property {string} broker
 * @property {number} published
 * @property {number} acknowledged
 * @property {import('./ledger.mjs').Verdict} verdict
 * @property {number} again messages that came again, whose rows were there
 * @property {number} batches
 * @property {number} restarts of processes of the service
 * @property {number} failures processes of the service that did not end well
 * @property {number} elapsed seconds from the first message to the last commit
 * @property {number} rate rows a second
 * @property {{ rate: number, processors: { name: string, cores: number, perRow: number }[] }} steady after the warm-up and
 *   while devices published: rows a second; how many processor cores each party used, and how many microseconds of them a
 *   row (empty where nobody can tell)
 */

/**
 * @param {import('./options.mjs').Options} options
 * @param {{ onProgress: (progress: Progress) => void, interval: number, onEvent: (event: string) => void,
 *   signal: AbortSignal }} control `interval`: milliseconds between reports; `signal` ends the run early, and it still
 *   adds up
 * @returns {Promise<Result>}
 */
export async function run(options, control) {
  const stops = []
  try {
    const broker = await startBroker(options.broker)
    stops.push(() => broker.stop())
    const postgres = await Postgres.start()
    stops.push(() => postgres.stop())
    return await runBetween(options, control, broker, postgres, stops)
  } finally {
    for (const stop of stops.reverse()) await stop()
  }
}

async function runBetween(options, { onProgress, interval, onEvent, signal }, broker, postgres, stops) {
  const connection = await postgres.connect()
  await connection.query(schema)
  await connection.end()

  const id = randomBytes(3).toString('hex')
  const tally = new Tally()
  const services = startServices(options, id, broker, postgres, (commit) => tally.add(commit), onEvent)
  stops.push(() => Promise.all(services.map((service) => service.stop())))
  // What devices publish before somebody has subscribed is nobody's.
  await within(startPatience, 'starting the service', Promise.all(services.map(({ ready }) => ready)))
  const fleet = fork(fleetProgram, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  stops.push(() => fleet.kill('SIGKILL'))
  const fleetReports = watchFleet(fleet)
  fleet.send({
    brokers: broker.addresses,
    protocol: broker.protocol,
    devices: topicsOf(id, options.devices),
    burst: options.burst,
    rate: options.rate,
    room: options.rate === 0 ? room : Number.MAX_SAFE_INTEGER,
  })
  await fleetReports.ready

  const parties = {
    PostgreSQL: () => postgres.processes,
    [broker.name]: () => broker.processes,
    service: () => services.map(({ pid }) => pid),
    devices: () => [fleet.pid],
  }
  const startedAt = performance.now()
  const takeSteady = startMeters(parties, tally)
  const telling = setInterval(() => fleet.send({ written: tally.messages }), 20)
  const showing = setInterval(() => {
    const elapsed = (performance.now() - startedAt) / 1000
    const { acknowledged } = fleetReports
    const { messages: written, batches } = tally
    onProgress({ elapsed, acknowledged, written, batches, lag: tally.takeLag() })
  }, interval)
  stops.push(() => {
    clearInterval(telling)
    clearInterval(showing)
  })

  await publishing(options, { broker, postgres, services, onEvent, signal })
  const steady = takeSteady()
  clearInterval(telling)
  fleet.send({ stop: true })
  const { ledger, published, acknowledged } = await fleetReports.end
  await arrival(postgres, acknowledged)
  clearInterval(showing)
  const codes = await Promise.all(services.map((service) => service.stop()))

  const last = await postgres.connect()
  const verdict = await verdictOf(last, ledger)
  await last.end()
  const elapsed = (tally.lastAt - startedAt) / 1000
  return {
    broker: broker.name,
    published,
    acknowledged,
    verdict,
    again: tally.messages - tally.rows,
    batches: tally.batches,
    restarts: services.reduce((sum, { restarts }) => sum + restarts, 0),
    failures: codes.filter((code) => code !== 0).length,
    elapsed,
    rate: verdict.rows / elapsed,
    steady,
  }
}

function startServices(options, id, broker, postgres, onCommit, onEvent) {
  const { processes, workers, size, age, share } = options
  return Array.from({ length: processes }, (_, index) => {
    const name = `ingest-${id}-${index + 1}`
    const args = [
      ...broker.addresses.flatMap(([host, port]) => ['--broker', `${host}:${port}`]),
      ...filtersOf(id, share, index, processes).flatMap((filter) => ['--filter', filter]),
      ...['--protocol', String(broker.protocol), '--size', String(size), '--age', String(age)],
    ]
    return new Supervised(name, workers, args, { ...process.env, ...postgres.environment }, onCommit, onEvent)
  })
}

/** What the processes of the service say they have written. */
class Tally {
  messages = 0
  rows = 0
  batches = 0
  lastAt = performance.now()
  #lag = 0

  add({ messages, rows, lag }) {
    this.messages += messages
    this.rows += rows
    this.batches++
    this.lastAt = performance.now()
    this.#lag = Math.max(this.#lag, lag)
  }

  takeLag() {
    const lag = this.#lag
    this.#lag = 0
    return lag
  }
}

function watchFleet(fleet) {
  const reports = { published: 0, acknowledged: 0 }
  const failure = once(fleet, 'exit').then(([code]) => {
    throw new Error(`The devices' process ended with ${code}`)
  })
  failure.catch(() => {})
  const said = (key) => {
    const message = new Promise((resolve) => {
      fleet.on('message', (report) => key in report && resolve(report))
    })
    return Promise.race([message, failure])
  }
  fleet.on('message', ({ published, acknowledged }) => {
    if (published !== undefined) Object.assign(reports, { published, acknowledged })
  })
  reports.ready = said('ready')
  reports.end = said('ledger').then(({ ledger }) => ({ ...reports, ledger }))
  reports.end.catch(() => {})
  return reports
}

/** While the devices publish: kills what is to be killed, at equal distances. */
async function publishing({ seconds, kill }, { broker, postgres, services, onEvent, signal }) {
  const pause = (seconds * 1000) / (kill.length + 1)
  const failing = []
  const kills = {
    process: async () => {
      onEvent(`kill -9 ${services[0].name}`)
      services[0].kill()
    },
    database: async () => {
      onEvent('kill -9 PostgreSQL')
      await postgres.kill()
      await sleep(absence * 1000)
      await postgres.restart()
      onEvent('PostgreSQL is back')
    },
    broker: () => failAndReturn(broker, 'stop', onEvent),
    node: () => failAndReturn(broker, 'kill -9 a node of', onEvent),
  }
  const isOn = () => sleep(pause, true, { signal }).catch(() => false)
  for (const what of kill) {
    if (!(await isOn())) break
    failing.push(kills[what]())
  }
  await isOn()
  await Promise.all(failing)
}

async function failAndReturn(broker, how, onEvent) {
  onEvent(`${how} ${broker.name}`)
  await broker.fail()
  onEvent(`${broker.name} is complete again`)
}

/** Waits until there are as many rows as messages were acknowledged, or until none are added any more. */
async function arrival(postgres, acknowledged) {
  const connection = await postgres.connect()
  let rows = 0
  let grownAt = performance.now()
  while (rows < acknowledged && performance.now() - grownAt < patience * 1000) {
    await sleep(50)
    const answer = await connection.query('SELECT count(*) FROM readings')
    const now = Number(answer.rows[0].count)
    if (now > rows) grownAt = performance.now()
    rows = now
  }
  await connection.end()
}

/** Starts to measure; the function that it returns gives Result.steady. */
function startMeters(parties, tally) {
  const look = () => ({
    at: performance.now() / 1000,
    rows: tally.rows,
    used: Object.values(parties).map((pids) => processorTime(pids()) / ticksPerSecond),
  })
  let start = look()
  const timer = setTimeout(() => {
    start = look()
  }, warmUp * 1000)
  return () => {
    clearTimeout(timer)
    const end = look()
    const seconds = end.at - start.at
    const rows = end.rows - start.rows
    const processors = Object.keys(parties).map((name, index) => {
      const used = end.used[index] - start.used[index]
      return { name, cores: used / seconds, perRow: (1e6 * used) / rows }
    })
    return { rate: rows / seconds, processors: hasProcessorTime ? processors : [] }
  }
}
