import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { type ClientOptions, FifoQueue, type Message, type Ranked } from 'aiomqtt'
import test from 'ava'
import { paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import type { Session } from '../helpers/peer.js'

/** How long a program may work without the event loop, in pieces of a millisecond. */
const MOST_A_TURN = 20
const MESSAGES = 400

/**
 * Counts the pieces of work that a program does before a timer that is due has its turn. On a busy machine a piece takes
 * longer, and there are fewer of them: the count holds everywhere, a timer's lateness does not.
 */
class Pieces {
  done = 0
  most = 0
  private sinceTurn = 0
  private turn = setTimeout(() => this.next(), 1)

  /** A millisecond of work. */
  readonly work = (): void => {
    for (const end = performance.now() + 1; performance.now() < end; );
    this.done++
    this.most = Math.max(this.most, ++this.sinceTurn)
  }

  /** @returns the largest number of pieces that a turn had */
  async until(count: number): Promise<number> {
    while (this.done < count) await new Promise((resolve) => setImmediate(resolve))
    clearTimeout(this.turn)
    return this.most
  }

  private next(): void {
    this.sinceTurn = 0
    this.turn = setTimeout(() => this.next(), 1)
  }
}

function sendMany(session: Session, count: number, topic = 'a'): void {
  const bytes = Buffer.from([0x30, 2 + topic.length + 1, 0, topic.length, ...Buffer.from(topic), 0x78])
  session.socket.write(Buffer.concat(Array.from({ length: count }, () => bytes)))
}

/** What a program may do with its messages, each time with a millisecond of work. */
const programs: Record<string, (messages: Messages, work: () => void) => Promise<unknown>> = {
  'a for await loop': loop,
  'a loop over an async generator of the program': async (messages, work) => {
    async function* texts(): AsyncGenerator<string> {
      for await (const message of messages) yield message.text()
    }
    for await (const _ of texts()) work()
  },
  'many loops over one client': (messages, work) =>
    Promise.all(Array.from({ length: 100 }, () => loop(messages, work))),
  'many next() at once': (messages, work) =>
    Promise.all(Array.from({ length: MESSAGES }, () => messages.next().then(work))),
  'small batches': async (messages, work) => {
    for await (const batch of messages.batches(4)) for (const _ of batch) work()
  },
}
type Messages = Awaited<ReturnType<typeof paired>>['client']['messages']

async function loop(messages: Messages, work: () => void): Promise<void> {
  for await (const _ of messages) work()
}

/** The end of the test ends the connection, and with it what the program waits for. */
function start(program: Promise<unknown>): void {
  program.catch(() => {})
}

for (const [name, program] of Object.entries(programs)) {
  test.serial(`the event loop has its turns while ${name} works on what has come`, async (t) => {
    const { client, session } = await paired(t)
    const pieces = new Pieces()
    sendMany(session, MESSAGES)
    start(program(client.messages, pieces.work))
    t.true((await within(patience * 4, 'the work', pieces.until(MESSAGES))) <= MOST_A_TURN)
  })
}

test.serial('the event loop has its turns while many clients work on a message each', async (t) => {
  const pieces = new Pieces()
  const pairs = await Promise.all(Array.from({ length: 40 }, () => paired(t)))
  for (const { client } of pairs) start(loop(client.messages, pieces.work))
  for (const { session } of pairs) sendMany(session, MESSAGES / 40)
  t.true((await within(patience * 4, 'the work', pieces.until(MESSAGES))) <= MOST_A_TURN)
})

test.serial('the event loop has its turns while views work on what matches them', async (t) => {
  const { client, session } = await paired(t)
  const pieces = new Pieces()
  const topics = Array.from({ length: 40 }, (_, number) => `v/${number}`)
  for (const topic of topics) start(loop(client.messages.filter(topic), pieces.work))
  for (const topic of topics) sendMany(session, MESSAGES / 40, topic)
  t.true((await within(patience * 4, 'the work', pieces.until(MESSAGES))) <= MOST_A_TURN)
})

test.serial('the event loop has its turns while a program works after each acknowledgement', async (t) => {
  const { client, session } = await paired(t, { maxInflightMessages: MESSAGES })
  const pieces = new Pieces()
  for (let i = 0; i < MESSAGES; i++) void client.publish('a', 'x', { qos: 1 }).then(pieces.work)
  const answers: Buffer[] = []
  for (let i = 0; i < MESSAGES; i++) {
    const { messageId = 0 } = await session.next('publish')
    answers.push(Buffer.from([0x40, 2, messageId >> 8, messageId & 0xff]))
  }
  session.socket.write(Buffer.concat(answers))
  t.true((await within(patience * 4, 'the work', pieces.until(MESSAGES))) <= MOST_A_TURN)
})

test.serial(
  'the event loop has its turns while code of the program runs for each message that comes',
  async (t) => {
    const queueType = (work: () => void): ClientOptions => ({
      queueType: class extends FifoQueue<Ranked> {
        override put(message: Ranked): void {
          work()
          super.put(message)
        }
      },
    })
    const logger = (work: () => void): ClientOptions => {
      const other = (): void => {}
      return { logger: { debug: work, info: other, warn: other, error: other } }
    }
    for (const optionsOf of [queueType, logger]) {
      const pieces = new Pieces()
      const { session } = await paired(t, optionsOf(pieces.work))
      sendMany(session, MESSAGES)
      t.true((await within(patience * 4, 'the work', pieces.until(MESSAGES))) <= MOST_A_TURN)
    }

    const pieces = new Pieces()
    const channel = 'aiomqtt:message'
    subscribe(channel, pieces.work)
    t.teardown(() => unsubscribe(channel, pieces.work))
    const { session } = await paired(t)
    sendMany(session, MESSAGES)
    t.true((await within(patience * 4, 'the work', pieces.until(MESSAGES))) <= MOST_A_TURN)
  },
)

test.serial('what is taken at leisure comes in its order, whatever turn it is taken in', async (t) => {
  const { client, session } = await paired(t)
  const count = 3000
  const packets = Array.from({ length: count }, (_, number) =>
    Buffer.from([0x30, 5, 0, 1, 0x61, number >> 8, number & 0xff]),
  )
  session.socket.write(Buffer.concat(packets))
  const numbers: number[] = []
  const take = (message: Message): number => numbers.push(message.payload.readUInt16BE())
  while (numbers.length < count) {
    const { value } = await within(patience, 'a message', client.messages.next())
    if (value !== undefined) take(value)
    if (numbers.length % 7 === 0) await new Promise((resolve) => setImmediate(resolve))
    if (numbers.length % 501 === 0) {
      const [batch] = [await within(patience, 'a batch', client.messages.batches(10).next())]
      batch.value?.forEach(take)
    }
  }
  t.deepEqual(
    numbers,
    Array.from({ length: count }, (_, number) => number),
  )
})
