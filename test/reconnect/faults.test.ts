import { Client, MqttError, ProtocolVersion } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import {
  atOnce,
  clientOf,
  connected,
  freshTopic,
  listening,
  nextMessage,
  patience,
} from '../helpers/client.js'
import { Cutter } from '../helpers/cutter.js'
import { rejection, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { inProcess } from '../helpers/program.js'
import { protocols } from '../helpers/protocols.js'
import { lasting, message, quickly, reached } from '../helpers/reconnect.js'
import { Relay } from '../helpers/relay.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
})
test.after.always((t) => t.context.broker.stop())

/** The payloads without repetitions, in the order of their first coming. */
const firsts = (payloads: string[]) => [...new Set(payloads)]

for (const { name, protocol } of protocols) {
  test.serial(
    `${name}: cut after each packet of a conversation, nothing is lost, QoS 2 comes exactly once, the order is kept`,
    async (t) => {
      const numbers = ['0', '1', '2', '3']
      for (let after = 1; ; after++) {
        const cutter = await Cutter.to(t.context.broker, after)
        const topic = freshTopic()
        const options = { ...lasting(protocol), reconnect: { ...quickly, initial: true } }
        const client = new Client(cutter.host, cutter.port, options)
        await within(patience, 'connecting', client.connect())
        const received: Record<string, string[]> = { 1: [], 2: [] }
        await client.subscribe(topic, { qos: 2 })
        const calls: Promise<void>[] = []
        for (const number of numbers) {
          client.publish(topic, number).catch(() => {})
          calls.push(client.publish(topic, number, { qos: 1 }), client.publish(topic, number, { qos: 2 }))
        }
        await within(patience, `publishing, cut after ${after}`, Promise.all(calls))
        await client.publish(topic, 'end', { qos: 2 })
        for (;;) {
          const { qos, payload } = await nextMessage(client)
          if (String(payload) === 'end') break
          received[qos]?.push(String(payload))
        }
        t.deepEqual(received[2], numbers, `cut after ${after}`)
        t.deepEqual(firsts(received[1] as string[]), numbers, `cut after ${after}`)
        await client.disconnect()
        const { hasCut } = cutter
        await cutter.close()
        if (!hasCut) break
      }
    },
  )

  test(`${name}: cut again and again under load, all is acknowledged, QoS 2 comes exactly once in its order`, async (t) => {
    const { broker } = t.context
    const relay = await Relay.to(broker)
    t.teardown(() => relay.close())
    const topic = freshTopic()
    const options = { ...lasting(protocol), reconnect: { minDelay: 0.001, maxDelay: 0.02 }, timeout: 60 }
    const client = await connected(t, relay, options)
    await client.subscribe(topic, { qos: 2 })
    const count = 2_000
    const numbers = Array.from({ length: count }, (_, index) => index)
    const calls = numbers.map((number) => client.publish(topic, number, { qos: 2 }))
    const received: number[] = []
    let cuts = 0
    for await (const { payload } of client.messages) {
      received.push(Number(payload))
      if (received.length === count) break
      if (received.length % 200 === 0) {
        relay.cut()
        cuts++
      }
    }
    t.is(cuts, 9)
    t.deepEqual(received, numbers)
    await within(patience, 'publishing', Promise.all(calls))
    t.is(client.stats.inflight, 0)
  })
}

for (const [what, settings] of [
  ['that keeps sessions', ['persistence true', 'persistence_location $FOLDER', 'autosave_interval 1']],
  ['that forgets all', []],
] as const) {
  test(`a broker ${what}, killed and started again and again: every publish ends well, and iteration goes on`, async (t) => {
    const broker = await Mosquitto.start({ settings: [...settings] })
    t.teardown(() => broker.stop())
    const topic = freshTopic()
    const client = await connected(t, broker, {
      ...lasting(ProtocolVersion.V5),
      reconnect: quickly,
      timeout: 60,
    })
    await client.subscribe(topic, { qos: 1 })
    for (let round = 0; round < 5; round++) {
      let published = 0
      let isOver = false
      const publishing = Promise.all(
        Array.from({ length: 10 }, async () => {
          while (!isOver) await client.publish(`${topic}/load`, `${published++}`, { qos: 1 })
        }),
      )
      while (published < 100) await client.publish(`${topic}/load`, '', { qos: 1 })
      await broker.kill()
      await reached(client, 'reconnecting')
      await broker.restart()
      await reached(client, 'connected')
      isOver = true
      await within(patience, 'publishing', publishing)
      await client.publish(topic, `round ${round}`, { qos: 1 })
      t.is((await nextMessage(client)).text(), `round ${round}`)
    }
  })
}

test('disconnect() wins whenever it is called', async (t) => {
  const peer = await listening(t)
  peer.serve(async (session) => {
    await session.next('connect')
    session.welcome()
    await session.next('publish')
    session.reset()
  })
  for (let turns = 0; turns < 50; turns++) {
    const client = new Client(peer.host, peer.port, { reconnect: { minDelay: 0.001, maxDelay: 0.001 } })
    await within(patience, 'connecting', client.connect())
    const calls = [client.messages.next(), client.publish('a', 'x', { qos: 1 })]
    const ended = calls.map((call) => rejection(patience, 'a call', call))
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
    await within(atOnce, 'disconnecting', client.disconnect())
    t.is(client.state, 'disconnected')
    for (const reason of await Promise.all(ended)) t.true(reason instanceof MqttError)
    // The last one that was made before may still be on its way; a client that goes on makes ten in this time.
    let connections = -1
    for (let look = 0; look < 5 && peer.connections !== connections; look++) {
      connections = peer.connections
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
    t.is(peer.connections, connections)
  }
})

test('connect() that is aborted while it tries again and again leaves the client ready', async (t) => {
  const peer = await listening(t)
  const client = clientOf(t, peer, { reconnect: { ...quickly, initial: true } })
  const abort = new AbortController()
  const connecting = rejection(atOnce, 'connecting', client.connect({ signal: abort.signal }))
  for (let count = 0; count < 3; count++) (await peer.accept()).reset()
  abort.abort('enough')
  t.is(await connecting, 'enough')
  t.is(client.state, 'disconnected')
  peer.serve(async (session) => {
    await session.next('connect')
    session.welcome()
  })
  await within(patience, 'connecting', client.connect())
  t.is(client.state, 'connected')
})

test('three hundred connections made and lost leave no descriptor and no timer', async (t) => {
  const peer = await listening(t)
  let last: (() => void) | undefined
  peer.serve(async (session) => {
    await session.next('connect')
    session.welcome()
    session.send(message('a', 'x'))
    last = () => session.reset()
  })
  const client = clientOf(t, peer, { reconnect: { minDelay: 0, maxDelay: 0 } })
  await client.connect()
  const open = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length
  let before = 0
  for (let count = 0; count < 300; count++) {
    await nextMessage(client)
    if (count === 10) before = open()
    last?.()
  }
  await nextMessage(client)
  t.true(open() <= before + 1, `${before} timers have become ${open()}`)
  t.is(client.stats.reconnects, 300)
})

for (const isKept of [true, false]) {
  const what = isKept ? 'lives on' : 'ends by itself after unref()'
  test(`a program that is reconnecting and waits for nothing ${what}`, async (t) => {
    const broker = await Mosquitto.start()
    t.teardown(() => broker.stop())
    const { said, outcome } = inProcess(
      async ({ Client }, { port, isKept }) => {
        const reconnect = { minDelay: 0.2, maxDelay: 0.2 }
        const client = await Client.connect('127.0.0.1', port, { reconnect })
        let attempts = 0
        void (async () => {
          for await (const { state } of client.states) {
            if (state !== 'reconnecting') continue
            if (!isKept) client.unref()
            // Nothing else than the client keeps the process alive from one attempt to the next.
            if (++attempts === 4) process.exit(4)
          }
        })()
        console.log('connected')
      },
      { port: broker.port, isKept },
    )
    await said('connected')
    await broker.kill()
    const { code } = await outcome
    t.is(code, isKept ? 4 : 0)
  })
}

test('a program that waits for messages lives on over the gap', async (t) => {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const topic = freshTopic()
  const { said, outcome } = inProcess(
    async ({ Client }, { port, topic }) => {
      const reconnect = { minDelay: 0.05, maxDelay: 0.05 }
      const client = await Client.connect('127.0.0.1', port, { reconnect })
      await client.subscribe(topic)
      console.log('subscribed')
      const { value } = await client.messages.next()
      console.log(value?.text())
      await client.disconnect()
    },
    { port: broker.port, topic },
  )
  await said('subscribed')
  await broker.kill()
  await new Promise((resolve) => setTimeout(resolve, 500))
  await broker.restart()
  const publisher = await connected(t, broker)
  const publishing = setInterval(() => publisher.publish(topic, 'still there').catch(() => {}), 50)
  t.teardown(() => clearInterval(publishing))
  const { code, output } = await outcome
  t.is(code, 0)
  t.is(output, 'subscribed\nstill there\n')
})
