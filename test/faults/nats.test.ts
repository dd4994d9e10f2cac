// A cluster of three brokers of which each is killed in turn, while clients that know all of them ingest at QoS 1.
import { Client } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { until, within } from '../helpers/deadline.js'
import { Footprint } from './footprint.js'
import { Ledger } from './ledger.js'
import { NatsCluster } from './nats-cluster.js'

const test = anyTest as TestFn<{ cluster: NatsCluster }>

/** How often each node is killed. */
const rounds = process.env.AIOMQTT_FAULTS === 'long' ? 5 : 1

const devices = 4
/** Messages that a device publishes between two kills. */
const burst = 50

test.before(async (t) => {
  t.timeout(60_000)
  t.context.cluster = await NatsCluster.start()
})
test.after.always((t) => t.context.cluster?.stop())

test('each node killed in turn under load: nothing that was acknowledged is lost', async (t) => {
  t.timeout(rounds * 150_000)
  const { cluster } = t.context
  const ledger = new Ledger()
  const { hosts } = cluster
  const [[host, port]] = hosts as [[string, number]]
  const footprint = await Footprint.on({ host, port })
  /** A client with a session, whose first host is this one. */
  const member = async (identifier: string, first: number): Promise<Client> => {
    const [[host, port], ...others] = [...hosts.slice(first), ...hosts.slice(0, first)] as [
      [string, number],
      ...Array<[string, number]>,
    ]
    const client = await Client.connect(host, port, {
      identifier,
      cleanSession: false,
      timeout: 60,
      reconnect: { hosts: others, minDelay: 0.05, maxDelay: 0.5 },
    })
    t.teardown(() => client.disconnect())
    return client
  }
  const consumer = await member('consumer', 0)
  await consumer.subscribe('fleet/+', { qos: 1 })
  const consuming = (async () => {
    for await (const message of consumer.messages) ledger.receive(message)
  })()
  const publishers = await Promise.all(
    Array.from({ length: devices }, (_, index) => member(`device-${index}`, index % hosts.length)),
  )

  let isOver = false
  t.teardown(() => {
    isOver = true
  })
  let published = 0
  const publishing = publishers.map(async (publisher, index) => {
    while (!isOver) {
      await ledger.publish(publisher, `fleet/${index}`, 1)
      published++
    }
  })
  const more = async (what: string, count: number): Promise<void> => {
    const enough = published + count
    await until(30_000, what, () => published >= enough)
  }

  for (let round = 0; round < rounds; round++) {
    for (const index of hosts.keys()) {
      await more('publishing', devices * burst)
      await cluster.kill(index)
      await more(`publishing without node ${index}`, devices * burst)
      await cluster.restart(index)
      footprint.sample()
    }
  }
  await more('publishing', devices * burst)
  isOver = true
  await within(30_000, 'the last publishes', Promise.all(publishing))
  await ledger.settled(30_000)
  if (ledger.counts.received < ledger.counts.acknowledged) {
    t.log(consumer.state, consumer.stats, await cluster.report())
  }
  await consumer.disconnect()
  await t.throwsAsync(consuming, { message: 'Disconnected during message iteration' })
  await Promise.all(publishers.map((publisher) => publisher.disconnect()))
  t.deepEqual(await footprint.faults(), [])

  // NATS sends what it has to send again after what is new: only its order is not what MQTT promises.
  const faults = ledger.faults().filter((fault) => !/ came after number /.test(fault))
  t.deepEqual(faults, [])
  const { acknowledged, received, rejected } = ledger.counts
  t.log(`${acknowledged} acknowledged, ${received} received, ${rejected} rejected`)
  t.true(acknowledged >= devices * burst * (6 * rounds + 1))
  t.true(
    consumer.stats.reconnects + publishers.reduce((sum, { stats }) => sum + stats.reconnects, 0) >=
      3 * rounds,
  )
})
