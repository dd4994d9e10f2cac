import test from 'ava'
import { listening } from '../helpers/client.js'
import { inProcess, type Program } from '../helpers/program.js'

const ROUNDS = 2000
/** Messages between two that are rare: more than a slab of 16 KiB holds. */
const BETWEEN = 600

const waiting: Program<{ port: number; rare: string; rounds: number }> = async (
  { Client },
  { port, rare, rounds },
) => {
  const client = await Client.connect('127.0.0.1', port)
  const view = client.messages.filter(rare)
  await client.subscribe('#')
  for await (const { topic } of client.messages) if (topic.value === 'end') break
  while (view.length < rounds) await new Promise((resolve) => setImmediate(resolve))
  const collect = (globalThis as unknown as { gc: () => void }).gc
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  console.log(process.memoryUsage().arrayBuffers)
  for (let number = 0; number < rounds; number++) {
    const { value } = await view.next()
    if (value?.payload.readUInt32BE() !== number) throw new Error('a message changed')
  }
  await client.disconnect()
}

function packet(topic: string, number: number): Buffer {
  const bytes = Buffer.alloc(4 + topic.length + 20)
  bytes.set([0x30, bytes.length - 2, 0, topic.length, ...Buffer.from(topic)])
  bytes.writeUInt32BE(number, 4 + topic.length)
  return bytes
}

test('messages that wait in a view of a rare topic keep little more alive than themselves', async (t) => {
  const peer = await listening(t)
  const args = { port: peer.port, rare: 'rare/#', rounds: ROUNDS }
  const program = inProcess(waiting, args, { flags: ['--expose-gc'] })
  const session = await peer.welcome()
  const { messageId } = await session.next('subscribe')
  session.send({ cmd: 'suback', messageId, granted: [0] })
  const many = Buffer.concat(Array.from({ length: BETWEEN }, (_, number) => packet('many', number)))
  for (let number = 0; number < ROUNDS; number++) {
    session.socket.write(many)
    if (!session.socket.write(packet('rare/topic', number))) {
      await new Promise((resolve) => session.socket.once('drain', resolve))
    }
  }
  session.socket.write(packet('end', 0))
  const { output, errors, code } = await program.outcome
  t.is(errors, '')
  t.is(code, 0)
  // Each is 20 bytes; a slab for each would be 32 MiB.
  t.true(Number(output) < ROUNDS * 2 * 34 + 2 * 2 ** 20, `${output} bytes are kept`)
})
