import { Worker } from 'node:worker_threads'
import {
  Client,
  PacketTypes,
  type PayloadType,
  Properties,
  type PublishOptions,
  TLSParameters,
  Will,
} from 'aiomqtt'
import test from 'ava'
import { clientOf, listening, paired, patience, roundTrip } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'

/** Three bytes that say that they are more, fewer or none. */
const liars: Record<string, () => Uint8Array> = {
  'an own length': () => withLength({ value: 5000 }),
  'an own length of nothing': () => withLength({ value: 0 }),
  'a huge own length': () => withLength({ value: 200_000_000 }),
  'a negative own length': () => withLength({ value: -100_000 }),
  'an own length that is no number': () => withLength({ value: Number.NaN }),
  'a length that grows': () => {
    let reads = 0
    return withLength({ get: () => (reads++ < 2 ? 3 : 50_000_000) })
  },
  'an own byteLength': () => Object.defineProperty(three(), 'byteLength', { value: 5000 }),
  'an own buffer': () => Object.defineProperty(three(), 'buffer', { value: new ArrayBuffer(5000) }),
  'an own byteOffset': () => Object.defineProperty(three(), 'byteOffset', { value: 5000 }),
  'a subclass with a length': () =>
    new (class extends Uint8Array {
      override get length(): number {
        return 70_000
      }
    })([1, 2, 3]),
  'a prototype that is a proxy': () =>
    Object.setPrototypeOf(three(), new Proxy(Uint8Array.prototype, { get: () => 70_000 })),
}

function three(): Uint8Array {
  return new Uint8Array([1, 2, 3])
}

function withLength(descriptor: PropertyDescriptor): Uint8Array {
  return Object.defineProperty(three(), 'length', descriptor)
}

test('a publish sends the bytes of its array, whatever the array says that it holds', async (t) => {
  const { client, session } = await paired(t)
  for (const [name, make] of Object.entries(liars)) {
    for (const qos of [0, 1] as const) {
      const published = client.publish('t', make(), { qos })
      const packet = await session.next('publish')
      t.deepEqual([...Buffer.from(packet.payload)], [1, 2, 3], name)
      if (qos === 1) session.send({ cmd: 'puback', messageId: packet.messageId as number })
      await within(patience, 'the publish', published)
    }
  }
})

test('large arrays that are not copied at once are sent as they are, too', async (t) => {
  const { client, session } = await paired(t)
  const large = new Uint8Array(100_000).fill(7)
  for (const value of [3, 5_000_000]) {
    const published = client.publish('t', Object.defineProperty(large.slice(), 'length', { value }))
    t.is((await session.next('publish')).payload.length, 100_000)
    await within(patience, 'the publish', published)
  }
})

test('the bytes in options and properties are those of the array', async (t) => {
  for (const [name, make] of Object.entries(liars)) {
    const peer = await listening(t)
    const will = { topic: 'w', payload: make() }
    const client = clientOf(t, peer, { protocol: 5, username: 'u', password: make(), will })
    const connecting = client.connect()
    const session = await peer.accept()
    const connect = await session.next('connect')
    t.deepEqual([...(connect.password as Buffer)], [1, 2, 3], name)
    t.deepEqual([...Buffer.from(connect.will?.payload as Buffer)], [1, 2, 3], name)
    session.welcome()
    await within(patience, 'connecting', connecting)
    const published = client.publish('t', '', { properties: { correlationData: make() } })
    const { properties } = await session.next('publish')
    t.deepEqual([...Buffer.from(properties?.correlationData ?? '')], [1, 2, 3], name)
    await within(patience, 'the publish', published)
    t.deepEqual(
      [...(new TLSParameters({ keyfilePassword: make() }).keyfilePassword as Uint8Array)],
      [1, 2, 3],
    )
  }
})

/** Values whose bytes are gone. */
const gone: Record<string, () => PayloadType> = {
  'a detached ArrayBuffer': () => detached(new ArrayBuffer(8)),
  'a view of a detached ArrayBuffer': () => {
    const view = new Uint8Array(8)
    detached(view.buffer)
    return view
  },
  'a view that its buffer has become too short for': () => {
    const buffer = resizable(8, 64)
    const view = new Uint8Array(buffer, 4, 4)
    buffer.resize(6)
    return view
  },
}

function detached(buffer: ArrayBuffer): ArrayBuffer {
  structuredClone(buffer, { transfer: [buffer] })
  return buffer
}

interface ResizableBuffer extends ArrayBuffer {
  resize(length: number): void
}

function resizable(length: number, maxByteLength: number): ResizableBuffer {
  const Resizable = ArrayBuffer as unknown as new (length: number, options: object) => ResizableBuffer
  return new Resizable(length, { maxByteLength })
}

test('bytes that are gone are an error that names the argument, and nothing is sent', async (t) => {
  const { client, session } = await paired(t, { protocol: 5 })
  for (const [name, make] of Object.entries(gone)) {
    const expected = { instanceOf: TypeError, code: 'ERR_MQTT_INVALID_ARG_TYPE' }
    await t.throwsAsync(client.publish('t', make()), { ...expected, message: /^payload must not be/ }, name)
    t.throws(() => new Will('w', make()), { ...expected, message: /^payload must not be/ }, name)
    const data = make() as Uint8Array
    t.throws(() => Properties.from(PacketTypes.PUBLISH, { correlationData: data }), {
      ...expected,
      message: /^correlationData property value must not be/,
    })
    if (!(data instanceof Uint8Array)) continue
    const options = { username: 'u', password: data }
    t.throws(() => new Client('127.0.0.1', options), { ...expected, message: /^password must not be/ })
  }
  await roundTrip(client, session)
})

test('a view that follows its buffer is sent as long as it is at the call', async (t) => {
  const { client, session } = await paired(t)
  const buffer = resizable(4, 200_000)
  const view = new Uint8Array(buffer)
  for (const length of [4, 150_000, 2]) {
    buffer.resize(length)
    const published = client.publish('t', view)
    buffer.resize(1)
    t.is((await session.next('publish')).payload.length, length)
    await within(patience, 'the publish', published)
  }
})

test('memory that another thread lets grow while it is sent', async (t) => {
  const { client, session } = await paired(t)
  const Growable = SharedArrayBuffer as unknown as new (length: number, options: object) => SharedArrayBuffer
  const shared = new Growable(1, { maxByteLength: 50_000 })
  const grow =
    'const { workerData } = require("node:worker_threads"); for (let n = 2; n <= 50_000; n++) workerData.grow(n)'
  const worker = new Worker(grow, { eval: true, workerData: shared })
  t.teardown(() => worker.terminate())
  const view = new Uint8Array(shared)
  while (view.length < 50_000) {
    const least = view.length
    const outcome = await client.publish('t', view).then(
      () => null,
      (error: unknown) => error,
    )
    if (outcome === null) t.true((await session.next('publish')).payload.length >= least)
    else t.true(outcome instanceof RangeError)
  }
})

test('options are read once, so that what is checked is what is sent', async (t) => {
  const { client, session } = await paired(t, { protocol: 5 })
  const changing = (values: Record<string, [checked: unknown, later: unknown]>): PublishOptions => {
    const options = {}
    for (const [name, [checked, later]] of Object.entries(values)) {
      let reads = 0
      Object.defineProperty(options, name, { enumerable: true, get: () => (reads++ === 0 ? checked : later) })
    }
    return options
  }
  const options = changing({
    qos: [0, 7],
    retain: [true, 'x'],
    timeout: [5, Number.NaN],
    signal: [undefined, 1],
  })
  const published = client.publish('t', 'p', options)
  t.like(await session.next('publish'), { qos: 0, retain: true })
  await within(patience, 'the publish', published)

  const properties = changing({ topicAlias: [1, undefined] })
  await t.throwsAsync(client.publish('', 'p', { properties: properties as object }), {
    instanceOf: RangeError,
  })
  await t.throwsAsync(client.publish('', 'p', changing({ properties: [{ topicAlias: 1 }, undefined] })), {
    code: 'ERR_MQTT_CODE',
  })
  const subscribed = client.subscribe('a', changing({ qos: [1, 3] }) as object)
  const { subscriptions, messageId } = await session.next('subscribe')
  t.is(subscriptions[0]?.qos, 1)
  session.send({ cmd: 'suback', messageId, granted: [1] } as never)
  t.is((await within(patience, 'subscribing', subscribed)).length, 1)
  await roundTrip(client, session)

  const clientOptions = changing({ protocol: [5, 3], cleanStart: [false, true], keepalive: [30, -1] })
  t.notThrows(() => new Client('127.0.0.1', clientOptions as object))
})
