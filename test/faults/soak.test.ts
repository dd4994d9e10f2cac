// Random operations on many clients through a proxy that makes faults; the ledger is checked and memory must not grow.
//
//   npm run soak -- --minutes N
import { Client, MqttError } from 'aiomqtt'
import test from 'ava'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { Footprint } from './footprint.js'
import { Ledger } from './ledger.js'
import { FaultProxy } from './proxy.js'

/** How long the operations go on: in CI, long enough for memory to tell. */
const minutes = Number(process.env.AIOMQTT_SOAK_MINUTES ?? (process.env.CI ? 2 : 0.1))
const CLIENTS = 8
/** How much may be on its way of one client. */
const MOST_CALLS = 20

interface Operation {
  weight: number
  run: () => unknown
}

test(`${minutes} minutes of random operations among faults lose nothing, and memory stays as it is`, async (t) => {
  t.timeout(minutes * 60_000 + 60_000)
  const broker = await Mosquitto.start({
    settings: ['max_queued_messages 0', 'max_inflight_messages 100', 'set_tcp_nodelay true'],
  })
  t.teardown(() => broker.stop())
  const proxy = await FaultProxy.to(broker)
  t.teardown(() => proxy.close())
  const footprint = await Footprint.on(broker)
  const ledger = new Ledger()
  const clients = Array.from({ length: CLIENTS }, (_, index) => clientOf(proxy, index))
  t.teardown(() => Promise.all(clients.map((client) => client.disconnect())))
  await within(20_000, 'connecting', Promise.all(clients.map((client) => client.connect())))
  await Promise.all(clients.map((client, index) => client.subscribe(`soak/${index}`, { qos: 2 })))
  const receiving = clients.map((client) => receive(client, ledger))

  const underWay = new Set<Promise<unknown>>()
  const started = Date.now()
  let nextSample = started
  let nextLine = started + 10_000
  while (Date.now() - started < minutes * 60_000) {
    const call = Promise.resolve(choose(operations(clients, proxy, ledger)).run())
    underWay.add(call)
    call.finally(() => underWay.delete(call))
    if (underWay.size >= MOST_CALLS * CLIENTS) await Promise.race(underWay)
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 4))
    const now = Date.now()
    if (now >= nextSample) {
      nextSample = now + 2_000
      footprint.sample()
    }
    if (now < nextLine) continue
    nextLine = now + 10_000
    const minute = (now - started) / 60_000
    const { rss } = process.memoryUsage()
    t.log(`${minute.toFixed(1)} min, ${(rss / 2 ** 20).toFixed(0)} MB, ${summary(ledger, proxy)}`)
  }
  proxy.faults = {}
  proxy.cut = null
  await ledger.settled(30_000)
  t.deepEqual(ledger.faults(), [])
  t.log(summary(ledger, proxy))
  t.true(ledger.counts.received > 100)
  await within(20_000, 'disconnecting', Promise.all(clients.map((client) => client.disconnect())))
  await within(5_000, 'the end of iteration', Promise.all(receiving))
  t.log(`memory grew by ${((footprint.growth ?? 0) / 1024).toFixed(0)} KiB a minute`)
  t.deepEqual(await footprint.faults(), [])
})

function clientOf({ host, port }: FaultProxy, index: number): Client {
  const is5 = index % 2 === 0
  return new Client(host, port, {
    identifier: `soak-${index}`,
    protocol: is5 ? 5 : 4,
    timeout: 60,
    reconnect: { initial: true, minDelay: 0.01, maxDelay: 0.2 },
    ...(is5 ? { cleanStart: false, properties: { sessionExpiryInterval: 3_600 } } : { cleanSession: false }),
  })
}

async function receive(client: Client, ledger: Ledger): Promise<void> {
  try {
    for await (const message of client.messages) ledger.receive(message)
  } catch (error) {
    if (!(error instanceof MqttError)) throw error
  }
}

function operations(clients: readonly Client[], proxy: FaultProxy, ledger: Ledger): Operation[] {
  const from = pick(clients)
  const topic = `soak/${clients.indexOf(from)}`
  // A few only: the client remembers what it has subscribed to.
  const other = `other/${Math.floor(Math.random() * 20)}`
  const padding = Math.random() < 0.02 ? 50_000 : Math.floor(Math.random() * 200)
  return [
    { weight: 20, run: () => ledger.publish(from, topic, 0, padding) },
    { weight: 40, run: () => ledger.publish(from, topic, 1, padding) },
    { weight: 40, run: () => ledger.publish(from, topic, 2, padding) },
    { weight: 2, run: () => from.subscribe(other).catch(() => {}) },
    { weight: 2, run: () => from.unsubscribe(other).catch(() => {}) },
    { weight: 1, run: () => from.publish('elsewhere', '', { qos: 2, timeout: 0.001 }).catch(() => {}) },
    {
      weight: 1,
      run: () => from.publish('elsewhere', '', { qos: 1, signal: AbortSignal.timeout(1) }).catch(() => {}),
    },
    { weight: 0.3, run: () => proxy.cutAll(Math.random() < 0.5 ? 'reset' : 'end') },
    {
      weight: 0.5,
      run: () => {
        const type = pick(['publish', 'puback', 'pubrec', 'pubrel', 'pubcomp'] as const)
        const direction = pick(['up', 'down'] as const)
        proxy.cut = {
          type,
          direction,
          count: 1 + Math.floor(Math.random() * 20),
          passed: Math.random() < 0.5,
        }
      },
    },
    {
      weight: 0.5,
      run: () => {
        proxy.faults = pick([{}, {}, { segment: 7 }, { delay: 2, jitter: 2 }, { bandwidth: 2_000_000 }])
      },
    },
  ]
}

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(Math.random() * from.length)] as T
}

function choose(from: readonly Operation[]): Operation {
  let at = Math.random() * from.reduce((sum, { weight }) => sum + weight, 0)
  for (const operation of from) {
    at -= operation.weight
    if (at < 0) return operation
  }
  return from[0] as Operation
}

function summary({ counts }: Ledger, proxy: FaultProxy): string {
  const { acknowledged, rejected, received, repeated } = counts
  return `${acknowledged} acknowledged, ${rejected} rejected, ${received} received, ${repeated} of them again, ${proxy.cuts} cuts`
}
