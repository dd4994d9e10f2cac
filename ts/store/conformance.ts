/**
 * What every store must do, as tests for whatever runs tests: `import { storeConformance } from
 * 'aiomqtt/store/conformance'`. `DurableStore` passes them, too.
 *
 * @module aiomqtt/store/conformance
 */

import assert from 'node:assert/strict'
import type { Store, StoreChange } from './store.js'

/**
 * Where a store keeps its records: a directory, a table, a number of keys. Each test has one that is empty.
 * @typeParam S the class of the store
 */
export interface StoreSite<S extends Store = Store> {
  /** A store on what is there. Not called again before `close()`. */
  open(): Promise<S> | S
  /** Ends the store that was opened last; a client's process has ended then. */
  close(store: S): Promise<void> | void
}

/** One test. */
export interface StoreConformanceTest {
  /** What a store must do, as a sentence. */
  readonly name: string
  /**
   * Runs the test.
   * @typeParam S the class of the store
   * @param site an empty one
   * @throws {AssertionError} the store does not do it
   * @throws what the store throws
   */
  run<S extends Store>(site: StoreSite<S>): Promise<void>
}

type Model = Map<string, string>

const LARGE = 5 * 1024 * 1024
const MANY = 10_000
const ROUNDS = 500

/** The tests. Each is to be given a site of its own. */
export const storeConformance: readonly StoreConformanceTest[] = [
  test('a new store has no records', async (opened) => {
    await opened(async (store) => assert.deepEqual(await contents(store), new Map()))
  }),
  test('what was put is there, and is there when the store is opened again', async (opened) => {
    const model: Model = new Map([
      ['out-00000000000001', 'one'],
      ['in-00001', ''],
    ])
    await opened(async (store) => {
      await store.batch([...model].map(([key, value]) => [key, bytes(value)]))
      assert.deepEqual(await contents(store), model)
    })
    await opened(async (store) => assert.deepEqual(await contents(store), model))
  }),
  test('records are loaded in the order of the codes of their keys', async (opened) => {
    const keys = ['b', 'B', 'a', 'A', 'a-', 'a0', 'aa', 'a_', ' ', '~', 'out-2', 'out-10', 'in-3']
    await opened(async (store) => {
      for (const key of keys) await store.batch([[key, bytes(key)]])
      const found: string[] = []
      for await (const [key] of store.load()) found.push(key)
      assert.deepEqual(found, [...keys].sort(byCode))
    })
  }),
  test('a put replaces, a deletion removes, and of several changes of a key the last one counts', async (opened) => {
    await opened(async (store) => {
      await store.batch([
        ['a', bytes('1')],
        ['b', bytes('1')],
        ['c', bytes('1')],
      ])
      await store.batch([
        ['a', bytes('2')],
        ['b', null],
        ['c', null],
        ['c', bytes('3')],
        ['d', bytes('4')],
        ['d', null],
        ['a', bytes('5')],
      ])
    })
    await opened(async (store) => {
      assert.deepEqual(
        await contents(store),
        new Map([
          ['a', '5'],
          ['c', '3'],
        ]),
      )
    })
  }),
  test('what is not there can be deleted, and a batch may be empty', async (opened) => {
    await opened(async (store) => {
      await store.batch([['a', null]])
      await store.batch([])
      assert.deepEqual(await contents(store), new Map())
    })
  }),
  test('keys may have all printable ASCII characters, and 255 of them', async (opened) => {
    const all = String.fromCharCode(...Array.from({ length: 95 }, (_, index) => index + 32))
    const model: Model = new Map([
      [all, 'all'],
      ['x'.repeat(255), 'long'],
      [`${'x'.repeat(254)}y`, 'another'],
    ])
    await opened(async (store) => {
      await store.batch([...model].map(([key, value]) => [key, bytes(value)]))
    })
    await opened(async (store) => assert.deepEqual(await contents(store), model))
  }),
  test('values are bytes: none of them, all of them, and as many as a large message has', async (opened) => {
    const every = Uint8Array.from({ length: 256 }, (_, index) => index)
    const large = new Uint8Array(LARGE).map((_, index) => index * index)
    // A view, whose buffer has more.
    const view = new Uint8Array(every.buffer, 3, 5)
    const values = new Map([
      ['empty', new Uint8Array(0)],
      ['every', every],
      ['large', large],
      ['view', view],
    ])
    await opened(async (store) => store.batch([...values]))
    await opened(async (store) => {
      for await (const [key, value] of store.load()) {
        assert.ok(Buffer.from(value).equals(values.get(key) as Uint8Array), `${key} has changed`)
        values.delete(key)
      }
      assert.equal(values.size, 0)
    })
  }),
  test('a batch may have many changes', async (opened) => {
    const changes = Array.from(
      { length: MANY },
      (_, index): StoreChange => [`out-${index}`, bytes(`${index}`)],
    )
    await opened(async (store) => store.batch(changes))
    await opened(async (store) => {
      assert.equal((await contents(store)).size, MANY)
      await store.batch(changes.map(([key]): StoreChange => [key, null]))
    })
    await opened(async (store) => assert.equal((await contents(store)).size, 0))
  }),
  test('load() begins behind a key; last(), if there is one, finds the last key with a prefix', async (opened) => {
    const keys = ['aside-00000000000007', 'in-00003', 'in-00012', 'out-00000000000008', 'out-00000000000130']
    await opened(async (store) => {
      await store.batch(keys.map((key): StoreChange => [key, bytes(key)]))
    })
    await opened(async (store) => {
      if (store.last === undefined) return
      for (const after of ['', 'b', 'in-', 'in-00003', 'in-00004', 'out-', ...keys, 'p']) {
        const expected = keys.filter((key) => key > after)
        assert.deepEqual([...(await contents(store, after)).keys()], expected, `behind ${after}`)
      }
      for (const prefix of [
        '',
        'aside-',
        'in-',
        'in-0000',
        'out-',
        'out-00000000000130',
        'ou',
        'in-1',
        'x',
      ]) {
        const expected = keys.filter((key) => key.startsWith(prefix)).at(-1) ?? null
        assert.equal(await store.last(prefix), expected, `the last one with ${prefix}`)
      }
    })
  }),
  test('with last(), what load() has not come to may be read while batches are made, and it may be left early', async (opened) => {
    const keys = Array.from({ length: 300 }, (_, index) => `out-${pad(index + 1)}`)
    await opened(async (store) => {
      await store.batch(keys.map((key): StoreChange => [key, bytes(key)]))
    })
    await opened(async (store) => {
      if (store.last === undefined) return
      const found: string[] = []
      for (let after = ''; ; ) {
        const portion: string[] = []
        for await (const [key] of store.load(undefined, after)) {
          portion.push(key)
          if (portion.length === 1) await store.batch([[`new-${found.length}`, bytes('x')]])
          if (portion.length === 70) break
        }
        found.push(...portion.filter((key) => key.startsWith('out-')))
        const last = portion.at(-1)
        if (last === undefined) break
        await store.batch(portion.map((key): StoreChange => [key, null]))
        after = last
      }
      assert.deepEqual(found, keys)
    })
  }),
  test('a client that publishes, is acknowledged and starts again finds what is left', async (opened) => {
    let model: Model = new Map()
    let sequence = 0
    for (let start = 0; start < 4; start++) {
      await opened(async (store) => {
        assert.deepEqual(await contents(store), model, `start ${start}`)
        for (let round = 0; round < ROUNDS / 4; round++) {
          const changes: StoreChange[] = []
          for (let each = 0; each < 3; each++)
            changes.push([`out-${pad(++sequence)}`, bytes(`message ${sequence}`)])
          for (const key of [...model.keys()].slice(0, (round * 7) % 6)) changes.push([key, null])
          await store.batch(changes)
          model = after(model, changes)
        }
      })
    }
  }),
]

/** @param body is given what opens the store, hands it over, and closes it */
function test(
  name: string,
  body: (opened: (use: (store: Store) => Promise<void> | void) => Promise<void>) => Promise<void>,
): StoreConformanceTest {
  return {
    name,
    run: (site) =>
      body(async (use) => {
        const store = await site.open()
        try {
          await use(store)
        } finally {
          await site.close(store)
        }
      }),
  }
}

async function contents(store: Store, behind?: string): Promise<Model> {
  const found: Model = new Map()
  for await (const [key, value] of store.load(undefined, behind)) {
    assert.ok(!found.has(key), `${key} is loaded twice`)
    assert.ok(value instanceof Uint8Array, `the value of ${key} is no Uint8Array`)
    found.set(key, Buffer.from(value).toString())
  }
  return new Map([...found].sort(([one], [other]) => byCode(one, other)))
}

function after(model: Model, changes: readonly StoreChange[]): Model {
  const next = new Map(model)
  for (const [key, value] of changes) {
    if (value === null) next.delete(key)
    else next.set(key, Buffer.from(value).toString())
  }
  return new Map([...next].sort(([one], [other]) => byCode(one, other)))
}

function bytes(text: string): Uint8Array {
  return Buffer.from(text)
}

function pad(number: number): string {
  return String(number).padStart(14, '0')
}

function byCode(one: string, other: string): number {
  if (one === other) return 0
  return one < other ? -1 : 1
}
