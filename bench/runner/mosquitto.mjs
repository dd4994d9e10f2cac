// One pass against a real broker, for the record: there the broker is the slower side, and these figures say how near a
// client comes to it.

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

/** Seconds that the broker may take to start or to stop. */
const PATIENCE = 10

/** No limit holds the clients back; for QoS 1, as many messages under way as the peer allows. */
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
 * @returns {Promise<Record<string, number>>} the figures
 * @throws {Failure}
 */
export async function measureWithMosquitto(program, scenario, client, size) {
  const broker = await startBroker(program)
  let feeder
  try {
    const feed = () => {
      if (scenario.feed === undefined) return
      feeder = new Child('bench/clients/process.mjs')
      const parameters = { ...scenario.feed, transport: 'tcp', port: broker.port }
      feeder.send({ client: 'raw', program: 'publish', parameters, size: { warmUp: 0, seconds: 600 } })
    }
    const parameters = { ...scenario.parameters, transport: 'tcp', port: broker.port }
    const { figures } = await runClient({ ...scenario, parameters }, client, size, { onReady: feed })
    return figures
  } finally {
    await feeder?.stop()
    await broker.stop()
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
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    await accepts(port, child)
  } catch (error) {
    await stop()
    throw error
  }
  return { port, stop }
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
