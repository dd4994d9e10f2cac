import test from 'ava'
import { listening } from '../helpers/client.js'
import { Flood } from '../helpers/flood.js'
import { inProcess, type Program } from '../helpers/program.js'

/** The most bytes that one small payload may keep: a slab. */
const slab = 16 * 1024
const total = 60_000
const every = 500

const keeper: Program<{ port: number; total: number; every: number }> = async (
  { Client },
  { port, total, every },
) => {
  const client = await Client.connect('127.0.0.1', port)
  await client.subscribe('flood')
  const kept: Buffer[] = []
  let received = 0
  for await (const message of client.messages) {
    if (received % every === 0) kept.push(message.payload)
    if (++received === total) break
  }
  await client.disconnect()
  const collect = (globalThis as unknown as { gc: () => void }).gc
  collect()
  await new Promise((resolve) => setImmediate(resolve))
  collect()
  if (!kept.every((payload, i) => payload.readUInt32BE() === i * every)) throw new Error('a payload changed')
  console.log(process.memoryUsage().arrayBuffers)
}

test('a payload that is kept keeps its slab at most, and stays as it is', async (t) => {
  const peer = await listening(t)
  const program = inProcess(keeper, { port: peer.port, total, every }, { flags: ['--expose-gc'] })
  const session = await peer.welcome()
  const { messageId } = await session.next('subscribe')
  session.send({ cmd: 'suback', messageId, granted: [0] })
  await new Flood(session, 64).send(total)
  const { output, errors, code } = await program.outcome
  t.is(errors, '')
  t.is(code, 0)
  const bound = (total / every) * slab + 1024 * 1024
  t.true(Number(output) < bound, `${output} bytes are kept, ${bound} at most`)
})
