// Measurements against a real broker: floods, for the record, as there the broker is the slower side; and an even pace,
// which is what services see.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { at, Failure, findProgram } from '../../scripts/steps.mjs'
import { Child } from './children.mjs'
import { runClient } from './measure.mjs'
import { machineTimes, ownTime, timeOf } from './processor-time.mjs'

/** Seconds that the broker may take to start or to stop. */
const PATIENCE = 10

/** Below this share of the pace the machine had no time for it, and the figures are as good as disturbed. */
const KEPT = 0.95

/**
 * No limit holds the clients back; for QoS 1, as many messages under way as the peer allows. Without
 * `set_tcp_nodelay` the broker's own Nagle delay would gather messages, the more the slower the client reads.
 */
const SETTINGS = [
  'allow_anonymous true',
  'log_type none',
  'max_queued_messages 0',
  'max_inflight_messages 10000',
  'set_tcp_nodelay true',
]

/** The broker's program, or null. */
export function findMosquitto() {
  const tools = at('build/tools.json')
  const known = existsSync(tools) ? JSON.parse(readFileSync(tools, 'utf8')).mosquitto : undefined
  if (known && existsSync(known)) return known
  return findProgram('mosquitto', ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin'])
}

/**
 * Measures one scenario with one client against a broker of its own.
 *
 * @param {{ mosquitto: string, pacer: string | null }} programs
 * @returns {Promise<Record<string, number>>} the figures; with a `disturbance`, as in `Bench.measure()`, where the
 *   system tells
 * @throws {Failure} the client failed, or lost messages or their order
 */
export async function measureWithMosquitto({ mosquitto, pacer }, scenario, client, size) {
  const broker = await startBroker(mosquitto)
  const before = { ...machineTimes(), own: ownTime() }
  const feeder = new Feeder(scenario, broker.port, pacer)
  try {
    const parameters = { ...scenario.parameters, transport: 'tcp', port: broker.port }
    const onReady = () => feeder.start()
    const result = await runClient({ ...scenario, parameters }, client, size, { onReady })
    if (result.disordered > 0) throw new Failure(`${result.disordered} messages were lost or out of order`)
    feeder.check()
    const known = [timeOf(broker.pid), feeder.time(), result.processor, ownTime() - before.own]
    const { kept = 1, ...figures } = result.figures
    if (kept < KEPT) return { ...figures, disturbance: 1 }
    if (known.includes(null)) return figures
    const now = machineTimes()
    const others = now.busy - before.busy - known.reduce((sum, one) => sum + one, 0)
    return { ...figures, disturbance: Math.max(0, others / (now.available - before.available)) }
  } finally {
    await feeder.stop()
    await broker.stop()
  }
}

/** What publishes to the client that is measured: a flood (`feed`), an even pace (`pace`), or nothing. */
class Feeder {
  #start
  #child = null
  #process = null
  #errors = ''

  constructor({ feed, pace }, port, pacer) {
    if (feed !== undefined) this.#start = () => this.#flood(feed, port)
    else if (pace !== undefined) this.#start = () => this.#pace(pace, port, pacer)
    else this.#start = () => {}
  }

  start() {
    this.#start()
  }

  /** Processor time so far, in microseconds; null if it is not known. */
  time() {
    if (this.#child !== null) return null
    return this.#process === null ? 0 : timeOf(this.#process.pid)
  }

  /** @throws {Failure} it has failed */
  check() {
    if (this.#process?.exitCode) throw new Failure(`the pacer ended: ${this.#errors.trim()}`)
  }

  async stop() {
    await this.#child?.stop()
    if (this.#process !== null) await end(this.#process)
  }

  #flood(feed, port) {
    this.#child = new Child('bench/clients/process.mjs')
    const parameters = { ...feed, transport: 'tcp', port }
    this.#child.send({ client: 'raw', program: 'publish', parameters, size: { warmUp: 0, seconds: 600 } })
  }

  #pace({ rate, qos, payload, topics }, port, pacer) {
    const values = [port, rate, qos, payload, topics].map(String)
    this.#process = spawn(pacer, values, { stdio: ['pipe', 'ignore', 'pipe'] })
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#errors += text
    })
  }
}

async function startBroker(program) {
  const folder = mkdtempSync(join(tmpdir(), 'bench-mosquitto-'))
  const port = await freePort()
  const user = process.getuid?.() === 0 ? ['user root'] : []
  writeFileSync(
    join(folder, 'mosquitto.conf'),
    [...user, `listener ${port} 127.0.0.1`, ...SETTINGS, ''].join('\n'),
  )
  const child = spawn(program, ['-c', join(folder, 'mosquitto.conf')], { stdio: 'ignore' })
  const stop = async () => {
    await end(child)
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await accepts(port, child)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, pid: child.pid, stop }
}

async function end(child) {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGKILL')
  await once(child, 'exit')
}

async function accepts(port, child) {
  const deadline = Date.now() + PATIENCE * 1e3
  for (;;) {
    const socket = connect(port, '127.0.0.1')
    const answer = await Promise.race([once(socket, 'connect'), once(socket, 'close')]).then(
      (values) => values.length === 0,
      () => false,
    )
    socket.destroy()
    if (answer) return
    if (child.exitCode !== null) throw new Failure(`mosquitto ended with code ${child.exitCode}`)
    if (Date.now() >= deadline) throw new Failure('mosquitto does not accept connections')
    await sleep(20)
  }
}

async function freePort() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  return port
}
