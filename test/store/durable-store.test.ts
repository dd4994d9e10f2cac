import { execFile } from 'node:child_process'
import { chmodSync, cpSync, readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { type FileHandle, mkdtemp, open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { MqttError, StoreChange, StoreRecord } from 'aiomqtt'
import { DurableStore, type DurableStoreOptions } from 'aiomqtt/store'
import test, { type ExecutionContext } from 'ava'
import { paired, patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Recorder } from '../helpers/logger.js'

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

function opened(t: ExecutionContext, directory: string, options?: DurableStoreOptions): DurableStore {
  const store = new DurableStore(directory, options)
  t.teardown(() => store.close())
  return store
}

async function contents(store: DurableStore): Promise<StoreRecord[]> {
  const records: StoreRecord[] = []
  for await (const [key, value] of store.load()) records.push([key, Buffer.from(value)])
  return records
}

function key(number: number): string {
  return `key-${String(number).padStart(6, '0')}`
}

/** A value that its number determines. */
function value(number: number): Buffer {
  return Buffer.alloc(1000, `${number} `)
}

function puts(from: number, to: number): StoreChange[] {
  return Array.from({ length: to - from }, (_, index) => [key(from + index), value(from + index)])
}

for (const sync of [false, true]) {
  test(`what was stored is there again, in the order of the keys (sync: ${sync})`, async (t) => {
    const directory = join(await folder(t), 'a', 'b')
    const store = opened(t, directory, { sync })
    t.deepEqual(await contents(store), [])
    await store.batch([...puts(5, 8), ...puts(0, 2)])
    await store.batch([
      [key(6), null],
      [key(7), Buffer.from('new')],
      [key(8), Buffer.alloc(0)],
      [key(9), Buffer.from('x')],
      [key(9), null],
    ])
    await store.close()
    const expected = [
      ...puts(0, 2),
      [key(5), value(5)],
      [key(7), Buffer.from('new')],
      [key(8), Buffer.alloc(0)],
    ]
    t.deepEqual(await contents(store), expected as StoreRecord[])
    await store.close()
    t.deepEqual(await contents(opened(t, directory)), expected as StoreRecord[])
  })
}

test('it holds maxBytes and no more; deletions make room, and what is refused changes nothing', async (t) => {
  const directory = await folder(t)
  // What docs/store.md says that a record takes.
  const size = 15 + 6 + key(0).length + 1000
  let store = opened(t, directory, { maxBytes: 3 * size })
  await store.batch(puts(0, 3))
  const refused = (await rejection(
    patience,
    'batch()',
    store.batch([[key(0), null], ...puts(3, 5)]),
  )) as MqttError
  t.is(refused.code, 'ERR_MQTT_STORE')
  t.regex(refused.message, /^The store is full: /)
  await store.batch([[key(0), null], ...puts(3, 4)])
  await store.batch(puts(1, 2))
  await store.close()
  store = opened(t, directory, { maxBytes: 2 * size })
  t.deepEqual(await contents(store), puts(1, 4) as StoreRecord[])
  await rejection(patience, 'batch()', store.batch(puts(4, 5)))
  await store.batch([[key(1), null]])
  await store.batch([[key(2), null], ...puts(4, 5)])
  t.is((await contents(store)).length, 2)
})

/** Counts the syncs of files. @param held what a sync waits for */
async function countedSyncs(t: ExecutionContext, held?: Promise<void>): Promise<{ count: number }> {
  const handle = await open(fileURLToPath(import.meta.url))
  const prototype = Object.getPrototypeOf(handle) as FileHandle
  await handle.close()
  const syncs = { count: 0 }
  const { datasync } = prototype
  prototype.datasync = async function (this: FileHandle) {
    syncs.count++
    await held
    await datasync.call(this)
  }
  t.teardown(() => {
    prototype.datasync = datasync
  })
  return syncs
}

test.serial('a thousand batches that are made at once share a sync', async (t) => {
  const store = opened(t, await folder(t), { sync: true })
  await store.batch(puts(0, 1))
  const syncs = await countedSyncs(t)
  await Promise.all(Array.from({ length: 1000 }, (_, index) => store.batch(puts(index, index + 1))))
  t.true(syncs.count <= 2, `${syncs.count} syncs`)
  await store.close()
  t.deepEqual(await contents(store), puts(0, 1000) as StoreRecord[])
})

test.serial('a thousand publishes of as many ticks that wait for the disk share a sync', async (t) => {
  const store = opened(t, await folder(t), { sync: true })
  const count = 1000
  const { client, session } = await paired(t, { store, maxInflightMessages: count, timeout: 30 })
  await store.batch(puts(0, 1))
  let letGo = () => {}
  const held = new Promise<void>((resolve) => {
    letGo = resolve
  })
  const syncs = await countedSyncs(t, held)
  const calls = [client.publish('a', 'first', { qos: 1 })]
  while (syncs.count === 0) await new Promise((resolve) => setImmediate(resolve))
  while (calls.length < count) {
    calls.push(client.publish('a', `${calls.length}`, { qos: 1 }))
    await new Promise((resolve) => setImmediate(resolve))
  }
  letGo()
  const publishes = await session.take('publish', count)
  t.is(syncs.count, 2)
  for (const { messageId = 0 } of publishes) session.send({ cmd: 'puback', messageId })
  await within(patience, 'publishing', Promise.all(calls))
  await client.disconnect()
})

test('bad arguments are refused', (t) => {
  const cases: Array<[() => unknown, string]> = [
    [() => new DurableStore(''), 'RangeError: directory must not be empty'],
    [() => new DurableStore(1 as unknown as string), 'TypeError: directory must be a string, not number'],
    [() => new DurableStore('x', { maxBytes: 0 }), 'RangeError: maxBytes must be an integer'],
    [() => new DurableStore('x', { sync: 1 as unknown as boolean }), 'TypeError: sync must be a boolean'],
    [() => new DurableStore('x', { sink: true } as object), 'TypeError: DurableStore() got an unexpected'],
  ]
  for (const [make, expected] of cases) {
    const error = t.throws(make) as Error
    t.true(`${error.name}: ${error.message}`.startsWith(expected), `${error}`)
  }
})

test('a directory that another store has open is refused, and nothing in it changes', async (t) => {
  const directory = await folder(t)
  const store = opened(t, directory)
  await store.batch(puts(0, 1))
  const error = (await rejection(patience, 'load()', contents(opened(t, directory)))) as Error
  t.is((error as MqttError).code, 'ERR_MQTT_STORE')
  t.regex(error.message, /in use by another store/)
  await store.batch(puts(1, 2))
  t.is((await contents(store)).length, 2)
})

function flipBit(bytes: Uint8Array, at: number, bit: number): void {
  bytes[at] = (bytes[at] as number) ^ (1 << bit)
}

/** A store's directory with a thousand records, twenty a batch. */
async function filled(t: ExecutionContext): Promise<string> {
  const directory = await folder(t)
  const store = opened(t, directory)
  for (let from = 0; from < 1000; from += 20) await store.batch(puts(from, from + 20))
  await store.close()
  return directory
}

test('truncated and bit-flipped files cost the records concerned, and nothing else', async (t) => {
  const original = await filled(t)
  let seed = 1
  const random = (below: number) => {
    seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((seed / 2 ** 31) * below)
  }
  let lost = 0
  for (let round = 0; round < 40; round++) {
    const directory = join(await folder(t), 'copy')
    cpSync(original, directory, { recursive: true })
    const names = readdirSync(directory).filter((name) => statSync(join(directory, name)).size > 0)
    const path = join(directory, names[round % names.length] as string)
    const isCut = random(2) === 0
    if (isCut) {
      truncateSync(path, random(statSync(path).size))
    } else {
      const bytes = readFileSync(path)
      for (let flip = 0; flip < 5; flip++) flipBit(bytes, random(bytes.length), random(8))
      writeFileSync(path, bytes)
    }
    const store = opened(t, directory)
    const records = await contents(store)
    for (const [name, found] of records) {
      const number = Number(name.slice(4))
      if (found.length === 0) continue
      if (!value(number).equals(found)) t.fail(`${path}: a wrong value for ${name}`)
    }
    const intact = records.filter(([, found]) => found.length > 0).length
    if (intact < 1000) lost++
    // The records concerned, or the last batch, which may be one that was not written to its end.
    if (!isCut) t.true(intact >= 1000 - 5 - 20, `${intact} are left`)
    await store.batch(puts(10_000, 10_001))
    await store.close()
    const again = await contents(store)
    t.is(again.length, intact + 1, `${path}: ${records.length} records, ${intact} intact`)
    await store.close()
  }
  t.true(lost > 0, 'the damage was seen')
})

test('a client ignores a damaged record with a warning, and sends the others', async (t) => {
  const directory = await folder(t)
  const first = new DurableStore(directory)
  const away = await paired(t, { store: first })
  for (const text of ['one', 'two']) away.client.publish('a', text, { qos: 1 }).catch(() => {})
  await away.session.take('publish', 2)
  away.session.reset()
  await rejection(patience, 'next()', away.client.messages.next())
  await first.close()

  const path = join(directory, 'records')
  const bytes = readFileSync(path)
  flipBit(bytes, bytes.indexOf('one'), 0)
  writeFileSync(path, bytes)

  const logger = new Recorder()
  const { session } = await paired(t, { store: opened(t, directory), logger })
  t.is(String((await session.next('publish')).payload), 'two')
  t.is(logger.lines.warn.length, 1)
  t.regex(
    logger.lines.warn[0] as string,
    /^The store .* has lost records: \d+ bytes at \d+ of records are damaged$/,
  )
})

const script = fileURLToPath(new URL('writer.js', import.meta.url))

/** Runs writer.js, which says what became of its batches. */
async function written(shell: string, directory: string): Promise<string[]> {
  const command = `${shell} exec "$0" "$1" "$2"`
  const run = promisify(execFile)('sh', ['-c', command, process.execPath, script, directory], {
    timeout: 20_000,
  })
  const { stdout } = await within(25_000, 'the writer', run)
  return stdout.trim().split('\n')
}

test('a full disk rejects what has no room, and nothing that was stored is lost', async (t) => {
  const directory = await folder(t)
  // A limit of the size of each file, which writes beyond it find as they find a full disk.
  const lines = await written('ulimit -f 400;', directory)
  t.true(
    lines.some((line) => line.startsWith('refused')),
    lines.join(),
  )
  const stored = lines.filter((line) => line.startsWith('stored')).map((line) => Number(line.slice(7)))
  t.true(stored.length > 0)
  const records = new Map(await contents(opened(t, directory)))
  for (const number of stored)
    t.true(value(number).equals(records.get(key(number)) as Uint8Array), key(number))
})

test('a directory that cannot be written to is an error, not a crash', async (t) => {
  const directory = await folder(t)
  const store = opened(t, directory)
  await store.batch(puts(0, 10))
  await store.close()
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o444)
  chmodSync(directory, 0o555)
  t.deepEqual(await written('UNPRIVILEGED=1', directory), ['refused 0 EACCES'])
  chmodSync(directory, 0o755)
  for (const name of readdirSync(directory)) chmodSync(join(directory, name), 0o644)
  t.is((await contents(opened(t, directory))).length, 10)
})
