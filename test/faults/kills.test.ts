// Mosquitto killed and started again under load. What it acknowledged around a kill it may forget, whatever a client does.
// What is checked: each call settles, those of QoS 1 well, those of QoS 2 well unless the session was lost between PUBREC
// and PUBCOMP; what is acknowledged between two kills arrives, so iteration goes on and subscriptions are there again;
// QoS 0 comes at most once; the order stays, repetitions apart; QoS 2 comes once if no kill was near. Descriptors and
// memory come back.
import { Client, ProtocolVersion } from 'aiomqtt'
import test from 'ava'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { lasting, reached } from '../helpers/reconnect.js'
import { Footprint } from './footprint.js'
import { Ledger } from './ledger.js'

/** How often each broker is killed. */
const kills = process.env.AIOMQTT_FAULTS === 'long' ? 100 : 5
/** Messages of each topic and QoS between two kills. */
const burst = 50
/** Calls of each topic and QoS that are under way at a time. */
const width = 4
/** Milliseconds between two looks, and between two messages of QoS 0. */
const pace = 2
/** Why a publish of QoS 2 may reject: sent again as a new message it could come twice. */
const sessionLost = /lost the session between PUBREC and PUBCOMP/
/** How long anything here may take, in milliseconds. */
const patience = 20_000

test(`a broker without persistence killed ${kills} times under load: calls settle, and all goes on`, async (t) => {
  t.timeout(60_000 + kills * 10_000)
  const broker = await Mosquitto.start({
    settings: ['max_queued_messages 0', 'set_tcp_nodelay true'],
  })
  t.teardown(() => broker.stop())
  const footprint = await Footprint.on(broker)
  const lossyChapters = new Set<number>()
  const ledger = new Ledger({ lossyChapters })
  const member = async (protocol: ProtocolVersion): Promise<Client> => {
    const client = await Client.connect(broker.host, broker.port, {
      ...lasting(protocol),
      timeout: 60,
      reconnect: { minDelay: 0.01, maxDelay: 0.1 },
    })
    t.teardown(() => client.disconnect())
    return client
  }
  const versions = [ProtocolVersion.V311, ProtocolVersion.V5]
  const consumers = await Promise.all(versions.map(member))
  const publishers = await Promise.all(versions.map(member))
  await Promise.all(consumers.map((consumer, index) => consumer.subscribe(`from/${index}`, { qos: 2 })))
  const consuming = consumers.map(async (consumer) => {
    for await (const message of consumer.messages) ledger.receive(message)
  })
  // Looked at only at the end.
  for (const iteration of consuming) iteration.catch(() => {})

  /** How many messages each of the loads has behind it. */
  const counts: number[] = []
  const rejected: string[] = []
  let isOver = false
  const load = async (publisher: Client, topic: string, qos: 0 | 1 | 2): Promise<void> => {
    const index = counts.push(0) - 1
    const one = async (): Promise<void> => {
      while (!isOver) {
        const { state, number, reason } = await ledger.publish(publisher, topic, qos)
        counts[index] = (counts[index] as number) + 1
        if (qos > 0 && state === 'acknowledged') continue
        if (qos > 0 && !(qos === 2 && sessionLost.test(String(reason)))) {
          rejected.push(`number ${number} of ${topic} at QoS ${qos}: ${reason}`)
        }
        // QoS 0 waits for nobody: it would fill all buffers on the way.
        await new Promise((resolve) => setTimeout(resolve, pace))
      }
    }
    await Promise.all(Array.from({ length: width }, one))
  }
  const more = async (): Promise<void> => {
    const enough = counts.map((count) => count + burst)
    while (counts.some((count, index) => count < (enough[index] as number))) {
      await new Promise((resolve) => setTimeout(resolve, pace))
    }
  }
  const back = async (): Promise<void> => {
    await Promise.all([...consumers, ...publishers].map((client) => reached(client, 'connected')))
    // What is answered after the subscriptions that the client makes again: they are there.
    await Promise.all(consumers.map((consumer) => consumer.unsubscribe('nothing')))
  }

  const loading = publishers.flatMap((publisher, index) =>
    ([0, 1, 2] as const).map((qos) => load(publisher, `from/${index}`, qos)),
  )
  for (let kill = 0; kill < kills; kill++) {
    await within(patience, `publishing before kill ${kill}`, more())
    lossyChapters.add(++ledger.chapter)
    await ledger.arrived(patience)
    await broker.kill()
    await Promise.all([...consumers, ...publishers].map((client) => reached(client, 'reconnecting')))
    await broker.restart()
    await within(patience, `coming back after kill ${kill}`, back())
    ledger.chapter++
    footprint.sample()
  }
  await within(patience, 'publishing', more())
  isOver = true
  await within(patience, 'the last publishes', Promise.all(loading))
  await ledger.settled(patience)
  const { acknowledged, received, repeated } = ledger.counts
  t.log(`${acknowledged} acknowledged, ${received} received, ${repeated} of them again`)

  t.deepEqual(ledger.faults(), [])
  t.deepEqual(rejected, [])
  for (const client of [...consumers, ...publishers]) {
    t.is(client.stats.reconnects, kills)
    t.is(client.stats.inflight, 0)
    t.is(client.stats.pending, 0)
    await within(patience, 'disconnecting', client.disconnect())
  }
  for (const iteration of consuming) {
    await t.throwsAsync(iteration, { message: 'Disconnected during message iteration' })
  }
  t.deepEqual(await footprint.faults(), [])
  if (footprint.growth !== null) t.log(`memory grew by ${Math.round(footprint.growth / 1024)} KB a minute`)
})
