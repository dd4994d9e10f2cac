import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { FifoQueue, type Message, ProtocolVersion } from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { connected } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const program = fileURLToPath(new URL('publisher.js', import.meta.url))
/** How often the program is killed; more often by npm run faults. */
const rounds = process.env.AIOMQTT_FAULTS === 'long' ? 100 : 5

for (const protocol of [ProtocolVersion.V311, ProtocolVersion.V5]) {
  test.serial(
    `MQTT ${protocol === 5 ? '5' : '3.1.1'}: what the store had taken in is sent, QoS 2 once, although the process was killed again and again`,
    (t) => killed(t, protocol),
  )
}

async function killed(t: ExecutionContext, protocol: ProtocolVersion): Promise<void> {
  t.timeout(60_000 + rounds * 6_000)
  const broker = await Mosquitto.start({ settings: ['max_queued_messages 0'] })
  t.teardown(() => broker.stop())
  const directory = await mkdtemp(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rm(directory, { recursive: true }))
  const consumer = await connected(t, broker, { queueType: FifoQueue<Message> })
  await consumer.subscribe('durable', { qos: 2 })

  const stored = new Set<number>()
  let highest = 0
  for (let round = 0; round <= rounds; round++) {
    const isLast = round === rounds
    const argument = isLast ? 'drain' : String(highest + 1000)
    const child = spawn(
      process.execPath,
      [program, directory, String(broker.port), argument, String(protocol)],
      {
        stdio: ['ignore', 'pipe', 'inherit'],
      },
    )
    t.teardown(() => child.kill('SIGKILL'))
    const exit = once(child, 'exit')
    const lines = createInterface({ input: child.stdout })
    const read = once(lines, 'close')
    let mayDie = () => {}
    const isAtWork = new Promise<void>((resolve) => {
      mayDie = resolve
    })
    lines.on('line', (line) => {
      const number = Number(line)
      if (number > highest) mayDie()
      highest = Math.max(highest, number)
      stored.add(number)
    })
    if (!isLast) {
      await within(30_000, 'a message in the store', isAtWork)
      await new Promise((resolve) => setTimeout(resolve, Math.random() * 60))
      child.kill('SIGKILL')
    }
    const [code] = (await within(30_000, 'the end of the process', exit)) as [number | null]
    if (isLast) t.is(code, 0)
    await within(30_000, 'what it said', read)
  }

  await consumer.publish('durable', '#0#', { qos: 2 })
  const received = new Set<number>()
  const repeated: number[] = []
  await within(
    10_000,
    'the messages',
    (async () => {
      for await (const message of consumer.messages) {
        const number = Number(message.text().split('#', 2)[1])
        if (number === 0) break
        if (received.has(number)) repeated.push(number)
        received.add(number)
      }
    })(),
  )
  t.true(stored.size >= rounds)
  t.deepEqual(
    [...stored].filter((number) => !received.has(number)),
    [],
    `of ${stored.size}`,
  )
  t.log(`${rounds} kills, ${received.size} messages, ${repeated.length} of QoS 1 again`)
  // The odd ones are of QoS 2.
  t.deepEqual(
    repeated.filter((number) => number % 2 === 1),
    [],
  )
}
