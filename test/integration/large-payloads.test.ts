import anyTest, { type TestFn } from 'ava'
import { connected, freshTopic, nextMessages } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

/** Around the size from which payloads are not copied on their way. */
const sizes = [65_535, 65_536, 300_000, 65_537, 1_000_000, 100]

test.before(async (t) => {
  t.context.broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
})
test.after.always((t) => t.context.broker.stop())

function patterned(number: number, size: number): Buffer {
  return Buffer.alloc(size, `message ${number}, `)
}

for (const { name, protocol } of protocols) {
  for (const maxConcurrentOutgoingCalls of [undefined, 2]) {
    const how = maxConcurrentOutgoingCalls === undefined ? 'at once' : 'two at a time'
    test.serial(
      `${name}: large payloads come as they were when published ${how}, among small ones`,
      async (t) => {
        const client = await connected(t, t.context.broker, { protocol, maxConcurrentOutgoingCalls })
        const topic = freshTopic()
        await client.subscribe(topic, { qos: 2 })
        const calls: Promise<void>[] = []
        const expected: Buffer[] = []
        for (const [number, size] of [...sizes, ...sizes, ...sizes].entries()) {
          const payload = patterned(number, size)
          // One QoS: those of different ones may overtake each other.
          calls.push(client.publish(topic, payload, { qos: 1, timeout: 30 }))
          expected.push(Buffer.from(payload))
          payload.fill(0)
        }
        await within(30_000, 'publishing', Promise.all(calls))
        const messages = await within(10_000, 'the messages', nextMessages(client, expected.length))
        for (const [number, message] of messages.entries()) {
          t.true(message.payload.equals(expected[number] as Buffer), `message ${number}`)
        }
        // A payload is its owner's, to be kept and changed.
        const [first, second] = messages
        first?.payload.fill(0)
        t.true(second?.payload.equals(expected[1] as Buffer))
      },
    )
  }
}
