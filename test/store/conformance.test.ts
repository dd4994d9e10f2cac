// The suite that is exported for authors of stores: DurableStore passes it, the example over PostgreSQL does, and stores
// that are wrong do not.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Store, StoreChange, StoreRecord } from 'aiomqtt'
import { DurableStore } from 'aiomqtt/store'
import { type StoreSite, storeConformance } from 'aiomqtt/store/conformance'
import test from 'ava'
import { connected, freshTopic } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { hasPostgres, Postgres } from '../helpers/postgres.js'

for (const sync of [false, true]) {
  for (const { name, run } of storeConformance) {
    test(`DurableStore (sync: ${sync}): ${name}`, async (t) => {
      const folder = await mkdtemp(join(tmpdir(), 'aiomqtt-store-'))
      t.teardown(() => rm(folder, { recursive: true, force: true }))
      await run({
        open: () => new DurableStore(folder, { sync }),
        close: (store) => (store as DurableStore).close(),
      })
      t.pass()
    })
  }
}

/** A store whose records are `records`, sorted, unless a fault says otherwise. */
class Plain implements Store {
  constructor(readonly records: Map<string, Uint8Array>) {}

  load(): Iterable<StoreRecord> {
    return [...this.records].sort(([one], [other]) => (one < other ? -1 : 1))
  }

  batch(changes: readonly StoreChange[]): void {
    for (const [key, value] of changes) this.put(key, value)
  }

  put(key: string, value: Uint8Array | null): void {
    if (value === null) this.records.delete(key)
    else this.records.set(key, Uint8Array.from(value))
  }
}

function siteOf(
  make: (records: Map<string, Uint8Array>) => Store,
  records = new Map<string, Uint8Array>(),
): StoreSite {
  return { open: () => make(records), close: () => {} }
}

async function failures(make: (records: Map<string, Uint8Array>) => Store): Promise<string[]> {
  const failed: string[] = []
  for (const { name, run } of storeConformance) await run(siteOf(make)).catch(() => failed.push(name))
  return failed
}

const wrong: ReadonlyArray<[string, (records: Map<string, Uint8Array>) => Store, RegExp]> = [
  ['forgets', () => new Plain(new Map()), /opened again/],
  [
    'deletes nothing',
    (records) =>
      Object.assign(new Plain(records), {
        put: (key: string, value: Uint8Array | null) => value && records.set(key, value),
      }),
    /a deletion removes/,
  ],
  [
    'sorts by words',
    (records) =>
      Object.assign(new Plain(records), { load: () => [...records].sort(([a], [b]) => a.localeCompare(b)) }),
    /order of the codes/,
  ],
  [
    'makes the deletions of a batch first',
    (records) => {
      const store = new Plain(records)
      const batch = (changes: readonly StoreChange[]) => {
        for (const [key, value] of changes) if (value === null) store.put(key, value)
        for (const [key, value] of changes) if (value !== null) store.put(key, value)
      }
      return Object.assign(store, { batch })
    },
    /the last one counts/,
  ],
  [
    'keeps text',
    (records) =>
      Object.assign(new Plain(records), {
        put: (key: string, value: Uint8Array | null) =>
          value === null ? records.delete(key) : records.set(key, Buffer.from(Buffer.from(value).toString())),
      }),
    /values are bytes/,
  ],
  [
    'takes a thousand changes',
    (records) => {
      const store = new Plain(records)
      return Object.assign(store, {
        batch: (changes: readonly StoreChange[]) => Plain.prototype.batch.call(store, changes.slice(0, 1000)),
      })
    },
    /many changes/,
  ],
]

test('a store that is right passes the suite', async (t) => {
  t.deepEqual(await failures((records) => new Plain(records)), [])
})

for (const [name, make, expected] of wrong) {
  test(`a store that ${name} fails it`, async (t) => {
    const failed = await failures(make)
    t.true(
      failed.some((each) => expected.test(each)),
      failed.join('; '),
    )
  })
}

const examples = fileURLToPath(new URL('../../../examples/postgres-store/', import.meta.url))

if (hasPostgres()) {
  test('examples/postgres-store passes it; its program publishes', async (t) => {
    t.timeout(180_000)
    const { PostgresStore } = (await import(join(examples, 'postgres-store.mjs'))) as {
      PostgresStore: { open(connection: unknown, identifier: string): Promise<Store> }
    }
    const postgres = await Postgres.start()
    t.teardown(() => postgres.stop())
    for (const [number, { name, run }] of storeConformance.entries()) {
      let connection = await postgres.connect()
      await run({
        open: async () => {
          connection = await postgres.connect()
          return await PostgresStore.open(connection, `client-${number}`)
        },
        close: () => connection.end(),
      })
      t.log(name)
    }
    const [one, other] = [await postgres.connect(), await postgres.connect()]
    await PostgresStore.open(one, 'client')
    await t.throwsAsync(PostgresStore.open(other, 'client'), { message: /Another client/ })
    await PostgresStore.open(other, 'another')
    await one.end()
    await other.end()

    const broker = await Mosquitto.start()
    t.teardown(() => broker.stop())
    const topic = freshTopic()
    const reader = await connected(t, broker)
    await reader.subscribe(topic, { qos: 1 })
    const args = [join(examples, 'publish.mjs'), 'publisher', topic, broker.host, String(broker.port)]
    const options = {
      env: { ...process.env, ...postgres.environment },
      stdio: ['pipe', 'ignore', 'inherit'] as const,
    }
    const child = spawn(process.execPath, args, { ...options, stdio: ['pipe', 'ignore', 'inherit'] })
    t.teardown(() => child.kill('SIGKILL'))
    const ended = once(child, 'exit').then(([code]) => code as number | null)
    const lines = Array.from({ length: 20 }, (_, index) => `line ${index}`)
    child.stdin.end(`${lines.join('\n')}\n`)
    const received: string[] = []
    await within(
      30_000,
      'the lines',
      (async () => {
        for await (const message of reader.messages)
          if (received.push(message.text()) === lines.length) return
      })(),
    )
    t.deepEqual(received, lines)
    t.is(await within(10_000, 'the end', ended), 0)
  })
}
