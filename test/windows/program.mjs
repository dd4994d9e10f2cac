// What npm run test:windows runs under Wine: a line for each thing that works, `ok …`, or `not ok …` with the reason. Plain
// JavaScript, because it runs with a Node that has nothing of the tests' own.
//
//   node program.mjs <library> <folder for files> <ports and certificates as JSON>

import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createWebServer } from 'node:http'
import { connect, createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createSecureContext } from 'node:tls'
import { pathToFileURL } from 'node:url'
import { isMainThread, Worker, workerData } from 'node:worker_threads'

const [library, folder, brokers] = isMainThread ? process.argv.slice(2) : workerData
const { Client, ProtocolVersion } = await import(pathToFileURL(join(library, 'index.js')).href)
const { DurableStore } = await import(pathToFileURL(join(library, 'store/index.js')).href)
const { tcp, tls, webSocket, certificate } = JSON.parse(brokers)
const host = '127.0.0.1'
const timeout = 20

/** Every QoS goes and comes, and a payload of a megabyte. */
async function roundTrip(options, port = tcp, name = host) {
  const client = await Client.connect(name, port, { timeout, ...options })
  const topic = `windows/${randomUUID()}`
  await client.subscribe(topic, { qos: 2 })
  for (const qos of [0, 1, 2]) {
    await client.publish(topic, `qos ${qos}`, { qos })
    const { value } = await client.messages.next()
    equal(value.text(), `qos ${qos}`)
  }
  const large = Buffer.alloc(1 << 20, 'x')
  await client.publish(topic, large, { qos: 1 })
  equal((await client.messages.next()).value.payload.equals(large), true)
  await client.disconnect()
}

function equal(actual, expected) {
  if (actual !== expected) throw new Error(`${actual} instead of ${expected}`)
}

async function listening(server) {
  await once(server.listen(0, host), 'listening')
  server.unref()
  return server.address().port
}

/** Passes bytes on; `cut()` ends all connections. */
async function relay(to) {
  const sockets = new Set()
  const port = await listening(
    createServer((near) => {
      const far = connect(to, host)
      for (const [one, other] of [
        [near, far],
        [far, near],
      ]) {
        sockets.add(one)
        one.on('error', () => {}).on('close', () => other.destroy())
        one.pipe(other)
      }
    }),
  )
  return {
    port,
    cut() {
      for (const socket of sockets) socket.destroy()
      sockets.clear()
    },
  }
}

const checks = {
  'MQTT 3.1.1 over TCP': () => roundTrip({}),
  'MQTT 5 over TCP': () => roundTrip({ protocol: ProtocolVersion.V5 }),
  'a host name': () => roundTrip({}, tcp, 'localhost'),
  TLS: () => roundTrip({ tlsParams: { caCerts: certificate } }, tls, 'localhost'),
  'TLS by node:tls': () =>
    roundTrip({ tlsContext: createSecureContext({ ca: readFileSync(certificate) }) }, tls, 'localhost'),
  WebSocket: () => roundTrip({ transport: 'websockets' }, webSocket),
  'a stream of the user’s': () => roundTrip({ transport: () => connect(tcp, host) }),
  async 'an HTTP proxy'() {
    const proxy = createWebServer().on('connect', (_request, near) => {
      const far = connect(tcp, host, () => {
        near.write('HTTP/1.1 200 OK\r\n\r\n')
        near.pipe(far)
        far.pipe(near)
      })
      near.on('error', () => far.destroy()).on('close', () => far.destroy())
      far.on('error', () => near.destroy()).on('close', () => near.destroy())
    })
    await roundTrip({ proxy: { proxyType: 'http', proxyAddr: host, proxyPort: await listening(proxy) } })
  },
  async 'a refused connection'() {
    const server = createServer()
    const port = await listening(server)
    server.close()
    const error = await Client.connect(host, port, { timeout }).then(
      () => null,
      (reason) => reason,
    )
    equal(error?.cause?.code ?? error?.code, 'ECONNREFUSED')
  },
  async 'a silent peer'() {
    const port = await listening(createServer((socket) => socket.on('error', () => {})))
    const error = await Client.connect(host, port, { timeout: 1 }).then(
      () => null,
      (reason) => reason,
    )
    equal(error?.message, 'Operation timed out')
  },
  async reconnection() {
    const way = await relay(tcp)
    const client = await Client.connect(host, way.port, {
      timeout,
      identifier: `r${process.pid}`,
      reconnect: { minDelay: 0.1 },
    })
    await client.subscribe('windows/reconnection', { qos: 1 })
    way.cut()
    await client.publish('windows/reconnection', 'after the gap', { qos: 1 })
    equal((await client.messages.next()).value.text(), 'after the gap')
    await client.disconnect()
  },
  async 'the store and its lock'() {
    const store = () => new DurableStore(join(folder, 'store'))
    const options = { timeout, identifier: `s${process.pid}`, cleanSession: false, reconnect: true }
    const client = await Client.connect(host, tcp, { ...options, store: store() })
    const error = await Client.connect(host, tcp, { ...options, store: store() }).then(
      () => null,
      (reason) => reason,
    )
    equal(error === null, false)
    await client.publish('windows/store', 'kept', { qos: 1 })
    await client.disconnect()
    const next = await Client.connect(host, tcp, { ...options, store: store() })
    await next.disconnect()
  },
  async 'worker threads'() {
    const workers = [1, 2, 3].map(
      () => new Worker(new URL(import.meta.url), { workerData: [library, folder, brokers] }),
    )
    for (const worker of workers) equal((await once(worker, 'exit'))[0], 0)
  },
  async 'a worker that is terminated'() {
    const worker = new Worker(new URL(import.meta.url), { workerData: [library, folder, brokers] })
    await delay(300)
    await worker.terminate()
    await roundTrip({})
  },
}

if (isMainThread) {
  let failed = 0
  for (const [name, check] of Object.entries(checks)) {
    try {
      await Promise.race([
        check(),
        delay(60_000, undefined, { ref: false }).then(() => equal('not finished after 60 s', 'done')),
      ])
      console.log(`ok ${name}`)
    } catch (error) {
      failed++
      console.log(`not ok ${name}: ${error?.stack ?? error}`)
    }
  }
  // When everything has worked the program ends by itself, or its runner says that it does not.
  if (failed > 0) process.exit(0)
} else {
  await roundTrip({})
}
