import { inspect } from 'node:util'
import anyTest, { type TestFn } from 'ava'
import { clientTo, connected, freshTopic } from '../helpers/client.js'
import { rejection } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always(async (t) => {
  await t.context.broker.stop()
})

/** A logger that wants Paho's own trace. */
class Curious extends Recorder {
  readonly pahoTrace = true
}

function fromPaho(logger: Recorder): string[] {
  return logger.lines.debug.filter((line) => line.startsWith('Paho: '))
}

test.serial("Paho's trace reaches a logger that wants it, as long as it is connected", async (t) => {
  const curious = new Curious()
  const client = await clientTo(t, t.context.broker, { logger: curious, identifier: 'curious' })
  await client.connect()
  await client.publish(freshTopic(), 'x', { qos: 1 })
  await client.disconnect()
  const lines = fromPaho(curious)
  t.true(
    lines.some((line) => line.includes('curious')),
    lines.join('\n'),
  )

  const other = await connected(t, t.context.broker)
  await other.publish(freshTopic(), 'x', { qos: 1 })
  await other.disconnect()
  t.is(fromPaho(curious).length, lines.length)
})

test.serial("Paho's trace does not reach a logger that did not ask for it", async (t) => {
  const logger = new Recorder()
  const client = await connected(t, t.context.broker, { logger })
  await client.publish(freshTopic(), 'x', { qos: 1 })
  t.true(logger.lines.debug.length > 0)
  t.deepEqual(fromPaho(logger), [])
})

test.serial('no password shows in a log line, in the trace or in an error', async (t) => {
  const guarded = await Mosquitto.start({ users: { alice: 'secret 1' } })
  t.teardown(() => guarded.stop())
  for (const password of ['secret 1', 'secret 2']) {
    const curious = new Curious()
    const client = await clientTo(t, guarded, { logger: curious, username: 'alice', password })
    const connecting = client.connect()
    const error = password === 'secret 1' ? await connecting : await rejection(5000, 'connect()', connecting)
    const shown = [...Object.values(curious.lines).flat(), inspect(error, { depth: null }), inspect(client)]
    t.true(fromPaho(curious).length > 0)
    t.false(/secret/.test(shown.join('\n')), shown.join('\n'))
    await client.disconnect().catch(() => {})
  }
})
