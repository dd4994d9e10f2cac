// One measurement: a client in a fresh process against the peer, so that no client runs in the heap or on the code that
// another one has left.

import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { Failure } from '../../scripts/steps.mjs'
import { Child } from './children.mjs'
import { makeIdentity } from './identity.mjs'
import { machineTimes, ownTime } from './processor-time.mjs'

const execute = promisify(execFile)

/** Seconds that a measurement may take beyond its own time. */
const PATIENCE = 30

/** Messages a second that the engine is reckoned with, to make its run about as long as the others. */
const ENGINE_RATE = 1_500_000

/** The peer's process and the measurements against it. */
class Bench {
  #peer
  /** By transport. */
  #ports
  /** The certificate that clients have to trust. */
  #ca

  static async start(scenarios) {
    const needsTls = scenarios.some(({ parameters }) => parameters.transport === 'tls')
    const identity = needsTls ? await makeIdentity() : null
    const bench = new Bench()
    bench.#ca = identity?.certificate
    bench.#peer = new Child('bench/peer/process.mjs')
    bench.#peer.send({ type: 'listen', identity })
    const { ports } = await bench.#peer.receive('listening', PATIENCE)
    bench.#ports = ports
    return bench
  }

  async stop() {
    await this.#peer.stop()
  }

  /**
   * Measures a scenario for so long.
   *
   * @param {string | null} engine the executable of the client `engine`
   * @returns {Promise<Record<string, number>>} the figures, and as `disturbance` the share of the machine's processors
   *   that other programs used meanwhile
   * @throws {Failure} the client failed, or lost messages or their order
   */
  async measure(scenario, client, size, engine) {
    await this.#configure(scenario, null)
    if (client === 'engine') return measureEngine(engine, scenario, size, this.#ports.tcp)
    const before = await this.#usage()
    const { figures, disordered, processor } = await this.#run(scenario, client, size)
    const after = await this.#usage()
    if (disordered > 0) throw new Failure(`${disordered} messages were lost or out of order`)
    const others = after.machine - before.machine - (after.own - before.own) - processor
    return { ...figures, disturbance: Math.max(0, others / (after.available - before.available)) }
  }

  /**
   * Runs a scenario at its small size.
   *
   * @returns {Promise<Record<string, number>>} what was counted on both sides
   * @throws {Failure} what does not hold
   */
  async check(scenario, client) {
    const { messages, connections } = scenario.check
    const small = atSmallSize(scenario, connections)
    await this.#configure(small, messages)
    const result = await this.#run(small, client, { messages })
    this.#peer.send({ type: 'report' })
    const { type, ...peer } = await this.#peer.receive('report', PATIENCE)
    const { figures, processor, ...counts } = result
    const seen = { messages, connections: connections ?? 1, ...counts, peer }
    verify(scenario, seen)
    return seen
  }

  async #configure({ parameters, echo, cycle }, count) {
    const pump = parameters.pump === undefined ? null : { ...parameters.pump, count }
    this.#peer.send({ type: 'configure', pump, echo, cycle })
    await this.#peer.receive('configured', PATIENCE)
  }

  /** Processor time so far, in microseconds: of the machine, of the peer and this process, and what there was of it. */
  async #usage() {
    this.#peer.send({ type: 'usage' })
    const peer = await this.#peer.receive('usage', PATIENCE)
    const { busy, available } = machineTimes()
    return { machine: busy, available, own: peer.processor + ownTime() }
  }

  #run(scenario, client, size) {
    const onConsumed = (message) => this.#peer.send(message)
    const { transport = 'tcp' } = scenario.parameters
    const parameters = { ...scenario.parameters, transport, port: this.#ports[transport], ca: this.#ca }
    return runClient({ ...scenario, parameters }, client, size, { onConsumed })
  }
}

/** Starts the peer for these scenarios, and ends it when `action` is over. */
export async function withBench(scenarios, action) {
  const bench = await Bench.start(scenarios)
  try {
    await action(bench)
  } finally {
    await bench.stop()
  }
}

/** Runs a client's process to its result; in a check to its end. The parameters say which port. */
export async function runClient({ program, parameters, flags }, client, size, { onReady, onConsumed } = {}) {
  const child = new Child('bench/clients/process.mjs', { flags })
  try {
    if (onConsumed !== undefined) child.on('consumed', onConsumed)
    child.send({ client, program, parameters, size })
    await child.receive('ready', PATIENCE)
    onReady?.()
    const { type, ...result } = await child.receive('result', PATIENCE)
    if (size.messages !== undefined) await child.end(PATIENCE)
    return result
  } finally {
    await child.stop()
  }
}

async function measureEngine(engine, { parameters }, { warmUp, seconds }, port) {
  const counts = [seconds, warmUp].map((time) => Math.round(ENGINE_RATE * time))
  const [messages, before] = counts
  const { stdout } = await execute(engine, [port, messages, parameters.qos, before].map(String), {
    timeout: PATIENCE * 1e3,
    killSignal: 'SIGKILL',
  })
  const answer = JSON.parse(stdout)
  return {
    messagesPerSecond: answer.messages / answer.seconds,
    processorMicroseconds: (answer.cpuSeconds * 1e6) / answer.messages,
  }
}

function atSmallSize(scenario, connections) {
  if (connections === undefined) return scenario
  const { pump } = scenario.parameters
  const parameters = { ...scenario.parameters, connections, pump: { ...pump, connections } }
  return { ...scenario, parameters }
}

/** What has to hold of every client, whatever it costs. */
function verify({ program, parameters, echo }, seen) {
  const { messages, connections } = seen
  const total = messages * connections
  const expected = { 'peer.disordered': 0, 'peer.open': 0 }
  if (program === 'receive') {
    Object.assign(expected, { received: total, disordered: 0, 'peer.sent': total })
    if (parameters.qos > 0) expected['peer.acknowledged'] = total
  } else if (program === 'publish') {
    Object.assign(expected, { published: total, 'peer.received': total })
  } else if (echo) {
    Object.assign(expected, { received: total, disordered: 0, 'peer.received': total })
    if (parameters.qos > 0) expected['peer.acknowledged'] = total
  } else {
    expected['peer.connections'] = seen.connected
  }
  for (const [path, value] of Object.entries(expected)) {
    const found = path.split('.').reduce((object, key) => object[key], seen)
    if (found !== value) throw new Failure(`${path} is ${found}, not ${value}: ${JSON.stringify(seen)}`)
  }
}
