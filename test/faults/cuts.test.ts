// The connection cut after every packet of a conversation at each QoS, in both directions.
import { Client, MqttError } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'
import { Footprint } from './footprint.js'
import { Ledger } from './ledger.js'
import { type Cut, FaultProxy } from './proxy.js'

const test = anyTest as TestFn<{ broker: Mosquitto; footprint: Footprint }>

/** What npm run faults adds: cuts before the packet, and ends instead of resets. */
const isLong = process.env.AIOMQTT_FAULTS === 'long'

/** How long one conversation may take, cut or not. */
const patience = 10_000

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
  t.context.footprint = await Footprint.on(t.context.broker)
})
test.after('descriptors and memory are where they were', async (t) => {
  t.deepEqual(await t.context.footprint.faults(), [])
})
test.after.always((t) => t.context.broker.stop())

/** Subscribes and publishes to itself at each QoS, with connections that are lost and made again. */
async function converse(client: Client, ledger: Ledger, topic: string): Promise<void> {
  let isOver = false
  let connecting: Promise<unknown> | null = null
  const connected = async (): Promise<void> => {
    // While it reconnects by itself, calls wait for it.
    while (!isOver && (client.state === 'disconnected' || client.state === 'connecting')) {
      connecting ??= client.connect().catch(isOffline)
      await connecting
      connecting = null
    }
  }
  const insist = async (call: () => Promise<boolean>): Promise<void> => {
    do await connected()
    while (!(await call()))
  }
  await insist(() => client.subscribe(topic, { qos: 2 }).then(() => true, isOffline))
  for (const qos of [0, 1, 2, 1, 2] as const) {
    await insist(async () => (await ledger.publish(client, topic, qos)).state === 'acknowledged')
  }
  const receiving = (async () => {
    for (;;) {
      try {
        for await (const message of client.messages) ledger.receive(message)
      } catch {
        await connected()
        if (isOver) return
      }
    }
  })()
  await ledger.settled(patience)
  isOver = true
  await client.disconnect()
  await receiving
}

function isOffline(error: unknown): false {
  if (!(error instanceof MqttError)) throw error
  return false
}

/** How connections come back: the test makes them, or the client does. */
const ways = [
  { way: 'connecting again', reconnect: false },
  { way: 'reconnect', reconnect: { initial: true, minDelay: 0.005, maxDelay: 0.02 } },
]

for (const { name, protocol } of protocols) {
  for (const { way, reconnect } of ways) {
    for (const direction of ['up', 'down'] as const) {
      test(`${name}, ${way}: cut after each packet ${direction}, all that was acknowledged comes, QoS 2 once`, async (t) => {
        t.timeout(60_000)
        const proxy = await FaultProxy.to(t.context.broker)
        t.teardown(() => proxy.close())
        let cuts = 0
        for (const variant of variants()) {
          for (let count = 1; ; count++) {
            proxy.cut = { direction, type: 'any', count, ...variant }
            const topic = `cuts/${protocol}/${direction}/${reconnect !== false}/${cuts++}`
            const client = new Client(proxy.host, proxy.port, {
              identifier: topic.replaceAll('/', '-'),
              protocol,
              reconnect,
              ...(protocol === 5
                ? { cleanStart: false, properties: { sessionExpiryInterval: 60 } }
                : { cleanSession: false }),
            })
            t.teardown(() => client.disconnect())
            const ledger = new Ledger()
            await within(patience, `${topic}, cut at ${count}`, converse(client, ledger, topic))
            t.deepEqual(ledger.faults(), [], `${topic}, cut at packet ${count} ${direction}`)
            t.context.footprint.sample()
            if (proxy.cut !== null) break
          }
        }
        t.true(cuts > 8, `${cuts} cuts`)
      })
    }
  }
}

function variants(): Array<Pick<Cut, 'how' | 'passed'>> {
  const usual = { how: 'reset', passed: true } as const
  if (!isLong) return [usual]
  return [usual, { how: 'end', passed: true }, { how: 'reset', passed: false }, { how: 'end', passed: false }]
}
