import { closeSync, openSync } from 'node:fs'
import { type Client, type Message, MqttError, Topic } from 'aiomqtt'
import test from 'ava'
import { Mosquitto } from '../helpers/mosquitto.js'
import { Footprint } from './footprint.js'
import { Ledger } from './ledger.js'

// Whoever judges the runs must be able to find each fault.

type Publish = Client['publish']

/** A client whose publishes are all acknowledged, or become what `publish` makes of them. */
function clientWith(publish: () => Promise<void> = () => Promise.resolve()) {
  const sent: Message[] = []
  const client = {
    publish: ((topic: string, payload: string) => {
      sent.push({ topic: new Topic(topic), text: () => payload } as Message)
      return publish()
    }) as Publish,
  } as Client
  return { client, sent }
}

for (const qos of [0, 1, 2] as const) {
  test(`QoS ${qos}: what comes as it should is no fault`, async (t) => {
    const [ledger, { client, sent }] = [new Ledger(), clientWith()]
    for (let count = 0; count < 3; count++) await ledger.publish(client, 'a', qos)
    for (const message of sent) ledger.receive(message)
    t.deepEqual(ledger.faults(), [])
    t.like(ledger.counts, { acknowledged: 3, received: 3, repeated: 0 })
  })

  test(`QoS ${qos}: a message that was acknowledged and does not come is a fault, but at QoS 0`, async (t) => {
    const [ledger, { client, sent }] = [new Ledger(), clientWith()]
    for (let count = 0; count < 3; count++) await ledger.publish(client, 'a', qos)
    for (const message of sent.toSpliced(1, 1)) ledger.receive(message)
    const lost = `number 2 of a at QoS ${qos} was acknowledged (chapter 0) and never received`
    t.deepEqual(ledger.faults(), qos === 0 ? [] : [lost])
  })

  test(`QoS ${qos}: a message that comes twice is a fault, but at QoS 1`, async (t) => {
    const [ledger, { client, sent }] = [new Ledger(), clientWith()]
    await ledger.publish(client, 'a', qos)
    for (const message of [...sent, ...sent]) ledger.receive(message)
    t.is(ledger.faults().length, qos === 1 ? 0 : 1)
    t.is(ledger.counts.repeated, 1)
  })

  test(`QoS ${qos}: a message that comes after a later one is a fault`, async (t) => {
    const [ledger, { client, sent }] = [new Ledger(), clientWith()]
    for (let count = 0; count < 2; count++) await ledger.publish(client, 'a', qos)
    for (const message of sent.toReversed()) ledger.receive(message)
    t.deepEqual(ledger.faults(), [`number 1 of a at QoS ${qos} came after number 2`])
  })
}

test('a call that does not settle is a fault, one that rejects is none', async (t) => {
  const ledger = new Ledger()
  void ledger.publish(clientWith(() => new Promise(() => {})).client, 'a', 1)
  await ledger.publish(clientWith(() => Promise.reject(new MqttError('no'))).client, 'b', 1)
  await ledger.settled(10)
  t.deepEqual(ledger.faults(), ['number 1 of a at QoS 1 is pending'])
})

test('what the broker hangs up at is counted, and a fault if it comes all the same', async (t) => {
  const ledger = new Ledger()
  const undeliverable = new MqttError('given up', { code: 'ERR_MQTT_DELIVERY' })
  const { client, sent } = clientWith(() => Promise.reject(undeliverable))
  await ledger.publish(client, 'a', 1)
  t.like(ledger.counts, { rejected: 1, undeliverable: 1 })
  t.deepEqual(ledger.faults(), [])
  ledger.receive(sent[0] as Message)
  t.deepEqual(ledger.faults(), ['number 1 of a at QoS 1 was given up and received'])
})

test('a message that nobody published is a fault', (t) => {
  const ledger = new Ledger()
  ledger.receive({ topic: new Topic('a'), text: () => 'a 1 1 ' } as Message)
  t.is(ledger.faults().length, 1)
})

test('what a broker forgot is excused in the chapters that are named, and in no others', async (t) => {
  for (const [chapters, faults] of [
    [[1], 0],
    [[0], 1],
  ] as const) {
    const ledger = new Ledger({ lossyChapters: new Set(chapters) })
    ledger.chapter = 1
    await ledger.publish(clientWith().client, 'a', 1)
    t.is(ledger.faults().length, faults)
  }
})

test.serial('descriptors that stay open are a fault', async (t) => {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const footprint = await Footprint.on(broker, { patience: 1_000 })
  t.deepEqual(await footprint.faults(), [])
  // More than the last connection may have been about to close.
  const descriptors = Array.from({ length: 10 }, () => openSync('/dev/null', 'r'))
  t.teardown(() => descriptors.forEach(closeSync))
  t.regex((await footprint.faults()).join(), /^\d+ descriptors have become \d+$/)
})

test.serial('memory that grows is a fault', async (t) => {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const footprint = await Footprint.on(broker, { mostGrowth: 0, warmUp: 0, unrest: 0 })
  const leak: Buffer[] = []
  for (let count = 0; count < 10; count++) {
    leak.push(Buffer.alloc(4 << 20, count))
    footprint.sample()
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
  t.regex((await footprint.faults()).join(), /^memory grew by \d+ bytes a minute$/)
  t.is(leak.length, 10)
})
