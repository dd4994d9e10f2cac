// Mosquitto killed and started again under load, without and with its persistence.
//
// What a broker acknowledged around a kill, and had not saved, it may forget, whatever a client does. What is checked
// then: each call settles, those of QoS 1 well, those of QoS 2 well unless the session was lost between PUBREC and
// PUBCOMP; what is acknowledged between two kills arrives, so iteration goes on and subscriptions are there; QoS 0 comes
// at most once; the order stays, repetitions apart; QoS 2 comes once, but for what the broker goes back behind. A broker
// that saved the very state in which it is killed has forgotten nothing, and there all must be as if nothing had been.
// Descriptors and memory come back.
import { Client, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { until, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { lasting, reached } from '../helpers/reconnect.js'
import { Footprint } from './footprint.js'
import { Ledger } from './ledger.js'
import { FaultProxy } from './proxy.js'

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

const settings = ['max_queued_messages 0', 'set_tcp_nodelay true']
/** Saves when it is told to, and at its orderly end. */
const persistence = ['persistence true', 'persistence_location $FOLDER', 'autosave_interval 0']
/**
 * A broker that goes back to what it saved waits for the PUBREL of messages that were finished since, which comes no
 * more. A window of 20, the default, is full of them after some kills, and Mosquitto 2.0.11 acknowledges then what it
 * does not keep.
 */
const wideWindow = 'max_inflight_messages 1000'

const versions = [ProtocolVersion.V311, ProtocolVersion.V5]
/** Chapters of a ledger for each kill: one that ends with it, and one that begins with it. */
const chapters = 2

/** Consumers and publishers of both versions, with sessions, and what they do. */
class Fleet {
  readonly rejected: string[] = []
  readonly #consumers: Client[] = []
  readonly #publishers: Client[] = []
  #iterations: Array<Promise<void>> = []
  #loads: Array<Promise<unknown>> = []
  /** How many messages each of the loads has behind it. */
  readonly #counts: number[] = []
  #isOver = false

  private constructor(
    readonly ledger: Ledger,
    readonly mayLoseSessions: boolean,
  ) {}

  static async start(
    t: ExecutionContext,
    { host, port }: { host: string; port: number },
    ledger: Ledger,
    { mayLoseSessions = false } = {},
  ): Promise<Fleet> {
    const fleet = new Fleet(ledger, mayLoseSessions)
    for (const group of [fleet.#consumers, fleet.#publishers]) {
      for (const protocol of versions) {
        const client = await Client.connect(host, port, {
          ...lasting(protocol),
          // Mosquitto does not save the session of a connection that began with a clean start.
          ...(protocol === ProtocolVersion.V5 && { cleanStart: false }),
          timeout: 60,
          reconnect: { minDelay: 0.01, maxDelay: 0.1 },
        })
        t.teardown(() => client.disconnect())
        group.push(client)
      }
    }
    for (const [index, consumer] of fleet.#consumers.entries()) {
      await consumer.subscribe(`from/${index}`, { qos: 2 })
    }
    fleet.#iterations = fleet.#consumers.map(async (consumer) => {
      for await (const message of consumer.messages) ledger.receive(message)
    })
    // Looked at only at the end.
    for (const iteration of fleet.#iterations) iteration.catch(() => {})
    return fleet
  }

  publish(): void {
    this.#loads = this.#publishers.flatMap((publisher, index) =>
      ([0, 1, 2] as const).map((qos) => this.#load(publisher, `from/${index}`, qos)),
    )
  }

  /** Resolves when each load is so many messages further. */
  async more(count: number): Promise<void> {
    const enough = this.#counts.map((each) => each + count)
    const isReached = () => this.#counts.every((each, index) => each >= (enough[index] as number))
    await until(patience, 'publishing', isReached)
  }

  async lost(): Promise<void> {
    await Promise.all(this.#clients.map((client) => reached(client, 'reconnecting')))
  }

  async back(): Promise<void> {
    await Promise.all(this.#clients.map((client) => reached(client, 'connected')))
    // What is answered after the subscriptions that the client makes again: they are there.
    const answers = this.#consumers.map((consumer) => consumer.unsubscribe('nothing'))
    await within(patience, 'coming back', Promise.all(answers))
  }

  /** Publishes no more, waits until all has arrived, checks everything and disconnects. */
  async finish(t: ExecutionContext, reconnects: number): Promise<void> {
    this.#isOver = true
    await within(patience, 'the last publishes', Promise.all(this.#loads))
    await this.ledger.settled(patience)
    const { acknowledged, received, repeated } = this.ledger.counts
    t.log(`${acknowledged} acknowledged, ${received} received, ${repeated} of them again`)
    t.deepEqual(this.ledger.faults(), [])
    t.deepEqual(this.rejected, [])
    for (const client of this.#clients) {
      t.is(client.stats.reconnects, reconnects)
      t.is(client.stats.inflight, 0)
      t.is(client.stats.pending, 0)
      await within(patience, 'disconnecting', client.disconnect())
    }
    for (const iteration of this.#iterations) {
      await t.throwsAsync(iteration, { message: 'Disconnected during message iteration' })
    }
  }

  get #clients(): Client[] {
    return [...this.#consumers, ...this.#publishers]
  }

  async #load(publisher: Client, topic: string, qos: 0 | 1 | 2): Promise<void> {
    const index = this.#counts.push(0) - 1
    const one = async (): Promise<void> => {
      while (!this.#isOver) {
        const { state, number, reason } = await this.ledger.publish(publisher, topic, qos)
        this.#counts[index] = (this.#counts[index] as number) + 1
        if (qos > 0 && state === 'acknowledged') continue
        const isExcused = this.mayLoseSessions && qos === 2 && sessionLost.test(String(reason))
        if (qos > 0 && !isExcused) {
          this.rejected.push(`number ${number} of ${topic} at QoS ${qos}: ${reason}`)
        }
        // QoS 0 waits for nobody: it would fill all buffers on the way.
        await new Promise((resolve) => setTimeout(resolve, pace))
      }
    }
    await Promise.all(Array.from({ length: width }, one))
  }
}

/** Resolves when the broker has read what was on its way to it: each turn of its loop reads a packet of each client. */
async function hasReadAll({ host, port }: Mosquitto): Promise<void> {
  const witness = await Client.connect(host, port)
  for (let turn = 0; turn < 100; turn++) await witness.publish('witness', null, { qos: 1 })
  await witness.disconnect()
}

function logGrowth(t: ExecutionContext, { growth }: Footprint): void {
  if (growth !== null) t.log(`memory grew by ${Math.round(growth / 1024)} KB a minute`)
}

for (const { name, more, saves } of [
  { name: 'without persistence', more: [], saves: false },
  {
    name: 'with persistence, which goes back to what it saved,',
    more: [...persistence, wideWindow],
    saves: true,
  },
]) {
  test.serial(`a broker ${name} killed ${kills} times under load: calls settle, all goes on`, async (t) => {
    t.timeout(60_000 + kills * 10_000)
    const broker = await Mosquitto.start({ settings: [...settings, ...more] })
    t.teardown(() => broker.stop())
    const footprint = await Footprint.on(broker)
    const lossyChapters = new Set<number>()
    // From the save before a kill to when the last has come that was saved: a life of the broker and the next.
    const ledger = new Ledger({ lossyChapters, goesBack: saves ? 2 * chapters : 0 })
    const fleet = await Fleet.start(t, broker, ledger, { mayLoseSessions: !saves })
    if (saves) await broker.save()
    fleet.publish()
    for (let kill = 0; kill < kills; kill++) {
      const beforeSave = saves ? Math.ceil(Math.random() * burst) : 0
      await fleet.more(beforeSave)
      if (saves) await broker.save()
      await fleet.more(burst - beforeSave)
      lossyChapters.add(++ledger.chapter)
      await ledger.arrived(patience)
      await broker.kill()
      await fleet.lost()
      await broker.restart()
      await fleet.back()
      ledger.chapter++
      footprint.sample()
    }
    await fleet.more(burst)
    await fleet.finish(t, kills)
    t.deepEqual(await footprint.faults(), [])
    logGrowth(t, footprint)
  })
}

test.serial(
  `a broker killed ${kills} times under load in the state that it saved: nothing is lost`,
  async (t) => {
    t.timeout(60_000 + kills * 10_000)
    const broker = await Mosquitto.start({ settings: [...settings, ...persistence] })
    t.teardown(() => broker.stop())
    const proxy = await FaultProxy.to(broker)
    t.teardown(() => proxy.close())
    const footprint = await Footprint.on(broker)
    const fleet = await Fleet.start(t, proxy, new Ledger())
    fleet.publish()
    for (let kill = 0; kill < kills; kill++) {
      await fleet.more(burst)
      // Whatever is on its way now, at each stage of its conversation, never arrives.
      proxy.faults = { silent: true }
      await hasReadAll(broker)
      await broker.save()
      await broker.kill()
      proxy.cutAll()
      await fleet.lost()
      await broker.restart()
      proxy.faults = {}
      await fleet.back()
      footprint.sample()
    }
    await fleet.more(burst)
    await fleet.finish(t, kills)
    t.deepEqual(await footprint.faults(), [])
    logGrowth(t, footprint)
  },
)
