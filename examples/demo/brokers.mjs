// The brokers that the demo starts, and stops.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Worker } from 'node:worker_threads'
import { at, findProgram } from '../../scripts/steps.mjs'

const hostname = '127.0.0.1'

/**
 * @typedef {object} Broker
 * @property {string} name
 * @property {{ hostname: string, port: number, username?: string, password?: string }} address
 * @property {import('node:perf_hooks').Performance | null} performance of its event loop; null outside this process
 * @property {() => Promise<void>} stop
 */

/** @returns {Broker} the broker that someone else runs */
export function remoteBroker(address) {
  const host = address.hostname.includes(':') ? `[${address.hostname}]` : address.hostname
  return {
    name: `the broker at ${host}:${address.port}`,
    address,
    performance: null,
    stop: async () => {},
  }
}

/** @returns {Promise<Broker>} aedes in a thread of its own */
export async function startEmbeddedBroker() {
  const worker = new Worker(new URL('embedded-broker.mjs', import.meta.url))
  const [port] = await once(worker, 'message')
  return {
    name: 'the embedded broker (aedes)',
    address: { hostname, port },
    performance: worker.performance,
    stop: async () => {
      await worker.terminate()
    },
  }
}

/** @returns {Promise<Broker | null>} Mosquitto with its default limits on a free port; null when it is not installed */
export async function startMosquitto() {
  const program = findMosquitto()
  if (program === null) return null
  const port = await freePort()
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-demo-'))
  const configuration = join(folder, 'mosquitto.conf')
  writeFileSync(configuration, `listener ${port} ${hostname}\nallow_anonymous true\npersistence false\n`)
  const child = spawn(program, ['-c', configuration], { stdio: 'ignore' })
  const ended = once(child, 'exit')
  const end = () => {
    child.kill()
    rmSync(folder, { recursive: true, force: true })
  }
  // However this process ends, Mosquitto does not outlive it.
  process.once('exit', end)
  const stop = async () => {
    process.off('exit', end)
    end()
    await ended.catch(() => {})
  }
  try {
    await Promise.race([
      listening(port),
      ended.then(() => Promise.reject(new Error('Mosquitto ended at once.'))),
    ])
  } catch (error) {
    await stop()
    throw error
  }
  return { name: 'Mosquitto', address: { hostname, port }, performance: null, stop }
}

function findMosquitto() {
  const tools = at('build/tools.json')
  if (existsSync(tools)) {
    const { mosquitto } = JSON.parse(readFileSync(tools, 'utf8'))
    if (mosquitto && existsSync(mosquitto)) return mosquitto
  }
  return findProgram('mosquitto', ['/usr/sbin', '/usr/local/sbin', '/opt/homebrew/sbin'])
}

async function freePort() {
  const server = createServer().listen(0, hostname)
  await once(server, 'listening')
  const { port } = server.address()
  server.close()
  await once(server, 'close')
  return port
}

async function listening(port) {
  for (const deadline = Date.now() + 5000; Date.now() < deadline; await sleep(20)) {
    const socket = connect(port, hostname)
    try {
      await once(socket, 'connect')
      return
    } catch {
      // Not yet.
    } finally {
      socket.destroy()
    }
  }
  throw new Error(`Mosquitto did not listen on port ${port} within 5 seconds.`)
}
