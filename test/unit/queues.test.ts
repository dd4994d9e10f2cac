import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { FifoQueue, LifoQueue, type MessageQueue, PriorityQueue } from 'aiomqtt'
import test from 'ava'
import { createQueue } from './internals.js'

function drain<T>(queue: MessageQueue<T>): T[] {
  const items: T[] = []
  while (queue.length > 0) items.push(queue.get() as T)
  return items
}

for (const queueType of [FifoQueue, LifoQueue, PriorityQueue]) {
  test(`an empty ${queueType.name} gives undefined`, (t) => {
    const queue = createQueue<{ mid: number }>(queueType)
    t.is(queue.get(), undefined)
    t.is(queue.length, 0)
    queue.put({ mid: 1 })
    t.is(queue.length, 1)
    t.deepEqual(queue.get(), { mid: 1 })
    t.is(queue.get(), undefined)
    t.is(queue.length, 0)
  })
}

test('a FifoQueue gives the oldest first, whatever it has held before', (t) => {
  const queue = new FifoQueue<number>()
  let put = 0
  let got = 0
  // Grows and shrinks past every size of the ring, from every place within it.
  for (const [more, fewer] of [
    [1000, 990],
    [63, 64],
    [5000, 4990],
    [7, 26],
    [100, 0],
    [0, 100],
  ] as const) {
    for (let count = 0; count < more; count++) queue.put(put++)
    for (let count = 0; count < fewer; count++) {
      if (queue.get() !== got++) t.fail(`${got - 1} was not the next`)
    }
    t.is(queue.length, put - got)
  }
  t.is(queue.length, 0)
})

setFlagsFromString('--expose-gc')
const collectGarbage: () => void = runInNewContext('gc')

test('a FifoQueue keeps nothing of what has left it', async (t) => {
  const queue = new FifoQueue<object>()
  const references = Array.from({ length: 10 }, () => {
    const item = {}
    queue.put(item)
    return new WeakRef(item)
  })
  t.is(drain(queue).length, 10)
  await new Promise((resolve) => setImmediate(resolve))
  collectGarbage()
  t.true(references.every((reference) => reference.deref() === undefined))
  queue.put({})
})

test('a FifoQueue that was long gives its memory back', (t) => {
  const queue = new FifoQueue<number>()
  for (let count = 0; count < 1 << 20; count++) queue.put(count)
  collectGarbage()
  const long = process.memoryUsage().heapUsed
  while (queue.length > 0) queue.get()
  collectGarbage()
  t.true(long - process.memoryUsage().heapUsed > 4 << 20)
  queue.put(1)
})

test('a LifoQueue gives the newest first', (t) => {
  const queue = new LifoQueue<number>()
  for (const item of [1, 2, 3]) queue.put(item)
  t.deepEqual(drain(queue), [3, 2, 1])
})

test('a PriorityQueue gives the least packet identifier first, and equals in the order of their arrival', (t) => {
  const queue = new PriorityQueue<{ mid: number; name: string }>()
  for (const [name, mid] of [
    ['a', 3],
    ['b', 0],
    ['c', 2],
    ['d', 0],
    ['e', 3],
    ['f', 0],
    ['g', 1],
  ] as const) {
    queue.put({ mid, name })
  }
  t.is(
    drain(queue)
      .map(({ name }) => name)
      .join(''),
    'bdfgcae',
  )
})

test('a PriorityQueue keeps its order while it is filled and emptied in turns', (t) => {
  const queue = new PriorityQueue<{ mid: number; arrival: number }>()
  let arrival = 0
  let seed = 1
  const isOrdered = (items: Array<{ mid: number; arrival: number }>) =>
    items.every((item, index) => {
      const before = items[index - 1] ?? { mid: -1, arrival: -1 }
      return before.mid < item.mid || (before.mid === item.mid && before.arrival < item.arrival)
    })
  for (let round = 0; round < 50; round++) {
    for (let count = 0; count < 40; count++) {
      seed = (seed * 48271) % 2147483647
      queue.put({ mid: seed % 10, arrival: arrival++ })
    }
    t.true(isOrdered(Array.from({ length: 20 }, () => queue.get() ?? { mid: -1, arrival: -1 })))
  }
  const rest = drain(queue)
  t.is(rest.length, 1000)
  t.true(isOrdered(rest))
})

test('a PriorityQueue can be given another order', (t) => {
  class GreatestFirst extends PriorityQueue {
    override compare(a: { mid: number }, b: { mid: number }): number {
      return b.mid - a.mid
    }
  }
  const queue = new GreatestFirst()
  for (const mid of [1, 3, 2]) queue.put({ mid })
  t.deepEqual(
    drain(queue).map(({ mid }) => mid),
    [3, 2, 1],
  )
})

test('any class with put(), get() and length makes queues', (t) => {
  class Newest {
    #message: { mid: number } | undefined
    put(message: { mid: number }): void {
      this.#message = message
    }
    get(): { mid: number } | undefined {
      const message = this.#message
      this.#message = undefined
      return message
    }
    get length(): number {
      return this.#message === undefined ? 0 : 1
    }
  }
  const queue = createQueue<{ mid: number }>(Newest)
  queue.put({ mid: 1 })
  queue.put({ mid: 2 })
  t.deepEqual(drain(queue), [{ mid: 2 }])
})

test('what makes no queues is an argument error', (t) => {
  t.throws(() => createQueue(5 as never), {
    instanceOf: TypeError,
    message: 'queueType must be a queue class, not number',
  })
  t.throws(() => createQueue(Map as never), {
    instanceOf: TypeError,
    message: 'queueType must be a class with the methods put() and get() and the property length',
  })
})
