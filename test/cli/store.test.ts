import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'aiomqtt'
import { DurableStore, dropSetAside, setAsideMessages } from 'aiomqtt/store'
import test, { type ExecutionContext } from 'ava'
import { runCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { encodePublish } from '../unit/internals.js'

const NONE = Buffer.alloc(0)
const CONTENT_TYPE = Buffer.from('\x06\x03\0\x03a/b')

function message(topic: string, payload: Uint8Array, properties: Uint8Array = NONE): Uint8Array {
  return encodePublish({
    identifier: 7,
    qos: 1,
    isRetained: true,
    isReleased: false,
    topic: Buffer.from(topic),
    properties,
    payload,
  })
}

const keyOf = (number: number) => `out-${String(number).padStart(14, '0')}`
const asideOf = (number: number) => `aside-${String(number).padStart(14, '0')}`

/** A store with some of everything. */
async function filled(t: ExecutionContext): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rmSync(directory, { recursive: true, force: true }))
  const store = new DurableStore(directory)
  await store.batch([
    [keyOf(1), message('a/b', Buffer.from('text'))],
    [keyOf(2), message('a/c', Buffer.of(0xff, 0), CONTENT_TYPE)],
    [keyOf(3), Buffer.of(2, 0b1010, 9, 0)],
    [keyOf(4), Buffer.from('nonsense')],
    [asideOf(5), message('too/large', Buffer.alloc(5000))],
    [asideOf(6), message('too/large', Buffer.alloc(6000))],
    ['in-00012', NONE],
  ])
  await store.close()
  return directory
}

test('aiomqtt store lists what is there', async (t) => {
  const directory = await filled(t)
  const { code, output, errors } = await runCommand(t, ['store', directory])
  t.is(code, 0, errors)
  t.is(
    String(output),
    [
      'aside-00000000000005  set aside  QoS 1  id 7  retained  5000 bytes  "too/large"',
      'aside-00000000000006  set aside  QoS 1  id 7  retained  6000 bytes  "too/large"',
      'in-00012  received',
      'out-00000000000001  message  QoS 1  id 7  retained  4 bytes  "a/b"',
      'out-00000000000002  message  QoS 1  id 7  retained  2 bytes  "a/c"',
      'out-00000000000003  message  QoS 2  id 9  released',
      'out-00000000000004  damaged  its format is unknown',
      '',
    ].join('\n'),
  )
  const one = await runCommand(t, ['store', directory, 'list', keyOf(1)])
  t.regex(String(one.output), /^out-00000000000001 .*\n$/)
  const none = await runCommand(t, ['store', directory, 'list', 'out-x'])
  t.is(none.code, 1)
  t.is(none.errors, 'Error: There is no record out-x.\n')
})

test('aiomqtt store counts', async (t) => {
  const { code, output } = await runCommand(t, ['store', await filled(t), 'count'])
  t.is(code, 0)
  const counts = String(output)
    .trim()
    .split('\n')
    .map((line) => line.trim().split(/\s{2,}/))
  t.deepEqual(
    counts.slice(0, 5).map(([name, number]) => [name, Number(number)]),
    [
      ['unsent messages', 3],
      ['set aside', 2],
      ['received, unreleased', 1],
      ['other records', 0],
      ['damaged', 1],
    ],
  )
})

test('aiomqtt store drops what was set aside, and nothing else', async (t) => {
  const directory = await filled(t)
  const wrong = await runCommand(t, ['store', directory, 'drop', keyOf(1)])
  t.is(wrong.errors, `Error: ${keyOf(1)} is not a message that was set aside.\n`)
  t.is(String((await runCommand(t, ['store', directory, 'drop', asideOf(6)])).output), '1 message dropped\n')
  t.is(String((await runCommand(t, ['store', directory, 'drop'])).output), '1 message dropped\n')
  const store = new DurableStore(directory)
  const found: string[] = []
  for await (const [key] of store.load()) found.push(key)
  t.deepEqual(found, ['in-00012', ...[1, 2, 3, 4].map(keyOf)])
  await store.close()
})

test('aiomqtt store drops from a store that is damaged, what is damaged included', async (t) => {
  const directory = await filled(t)
  const store = new DurableStore(directory)
  await store.batch([[asideOf(7), Buffer.from('nonsense')]])
  await store.batch([[keyOf(8), message('a/d', Buffer.from('behind it'))]])
  await store.close()
  const bytes = readFileSync(join(directory, 'records'))
  bytes[bytes.indexOf('text')] = 0
  const aside = bytes.indexOf(asideOf(6)) + 1000
  bytes[aside] = (bytes[aside] as number) ^ 1
  writeFileSync(join(directory, 'records'), bytes)

  const gone = await runCommand(t, ['store', directory, 'drop', asideOf(6)])
  t.is(gone.code, 1)
  t.regex(
    gone.errors,
    /^Error: There is no record aside-\d+ that can be read\..* repair removes what is left/m,
  )
  for (const key of [asideOf(5), asideOf(7)]) {
    const { code, output, errors } = await runCommand(t, ['store', directory, 'drop', key])
    t.is(code, 0, errors)
    t.is(String(output), '1 message dropped\n')
    t.regex(errors, /^Warning: \d+ bytes at \d+ of records(-\d+)? are damaged/)
  }
  t.is(String((await runCommand(t, ['store', directory, 'drop'])).output), '0 messages dropped\n')
  const verified = await runCommand(t, ['store', directory, 'verify'])
  t.is(verified.code, 1, 'what is damaged is still told')

  const again = new DurableStore(directory)
  t.teardown(() => again.close())
  const found: string[] = []
  for await (const [key] of again.load()) found.push(key)
  t.deepEqual(found, ['in-00012', ...[2, 3, 4, 8].map(keyOf)])
  t.is(again.stats.setAside, 0)
})

test('what was set aside is counted, listed and dropped by the library, too', async (t) => {
  const store = new DurableStore(await filled(t))
  t.teardown(() => store.close())
  const found = []
  for await (const each of setAsideMessages(store)) found.push(each)
  t.deepEqual(
    found.map(({ key, topic, payload, qos, retain }) => [key, topic, payload.length, qos, retain]),
    [
      [asideOf(5), 'too/large', 5000, 1, true],
      [asideOf(6), 'too/large', 6000, 1, true],
    ],
  )
  t.is(store.stats.setAside, 2)
  await t.throwsAsync(dropSetAside(store, [keyOf(1)]), { instanceOf: RangeError })
  await dropSetAside(store, [asideOf(5)])
  t.is(store.stats.setAside, 1)
})

test('aiomqtt store exports what aiomqtt replay publishes', async (t) => {
  const directory = await filled(t)
  const { code, output } = await runCommand(t, ['store', directory, 'export'])
  t.is(code, 0)
  const lines = String(output)
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.deepEqual(
    lines.map(({ tst: _, ...rest }) => rest),
    [
      { topic: 'a/b', qos: 1, retain: 1, payloadlen: 4, mid: 7, payload: 'text' },
      {
        topic: 'a/c',
        qos: 1,
        retain: 1,
        payloadlen: 2,
        mid: 7,
        properties: { 'content-type': 'a/b' },
        payload_base64: '/wA=',
      },
    ],
  )
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const reader = await Client.connect(broker.host, broker.port, { protocol: 5 })
  await reader.subscribe('a/#', { qos: 1 })
  const args = ['replay', '-', '-h', broker.host, '-p', broker.port, '-V', '5', '--speed', 0]
  const replayed = await runCommand(t, args, { input: output })
  t.is(replayed.code, 0, replayed.errors)
  const messages = [await reader.messages.next(), await reader.messages.next()].map(({ value }) => value)
  t.deepEqual(
    messages.map((each) => [each?.topic.value, each?.payload]),
    [
      ['a/b', Buffer.from('text')],
      ['a/c', Buffer.of(0xff, 0)],
    ],
  )
  t.is(messages[1]?.properties?.contentType, 'a/b')
  await reader.disconnect()
})

test('aiomqtt store verifies and repairs', async (t) => {
  const directory = await filled(t)
  const store = new DurableStore(directory)
  await store.batch([[keyOf(4), null]])
  await store.close()
  const fine = await runCommand(t, ['store', directory, 'verify'])
  t.is(fine.code, 0)
  t.is(String(fine.output), '6 records are in order\n')
  const bytes = readFileSync(join(directory, 'records'))
  bytes[bytes.indexOf('text')] = 0
  writeFileSync(join(directory, 'records'), bytes)
  const bad = await runCommand(t, ['store', directory, 'verify'])
  t.is(bad.code, 1)
  t.regex(String(bad.output), /^\d+ bytes at \d+ of records are damaged\n5 records are in order\n$/)
  t.is(bad.errors, `Error: 1 place is damaged in ${directory}.\n`)
  const repaired = await runCommand(t, ['store', directory, 'repair'])
  t.is(repaired.code, 0, repaired.errors)
  t.regex(
    String(repaired.output),
    /^lost: \d+ bytes at \d+ of records are damaged\nWhat could be read is in new files\.\n$/,
  )
  const after = await runCommand(t, ['store', directory, 'verify'])
  t.is(String(after.output), '5 records are in order\n')
  t.is(String((await runCommand(t, ['store', directory, 'repair'])).output), 'Nothing was damaged.\n')
})

test('aiomqtt store says why it cannot', async (t) => {
  const directory = await filled(t)
  const missing = await runCommand(t, ['store', join(directory, 'missing')])
  t.is(missing.code, 1)
  t.regex(missing.errors, /^Error: .*ENOENT/)
  t.false(existsSync(join(directory, 'missing')))
  const store = new DurableStore(directory)
  await store.batch([['x', null]])
  const used = await runCommand(t, ['store', directory, 'count'])
  t.is(used.code, 1)
  t.is(
    used.errors,
    `Error: The directory is in use by another store (process ${process.pid}): ${directory}\n`,
  )
  await store.close()
  const wrong = await runCommand(t, ['store', directory, 'burn'])
  t.is(wrong.code, 1)
  t.regex(wrong.errors, /Allowed choices are list, export, count, verify, repair, drop/)
})

test('reading changes nothing', async (t) => {
  const directory = await filled(t)
  const copy = mkdtempSync(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rmSync(copy, { recursive: true, force: true }))
  cpSync(directory, copy, { recursive: true })
  for (const action of ['list', 'count', 'verify', 'export'])
    await runCommand(t, ['store', directory, action])
  for (const name of readdirSync(copy).filter((each) => each !== 'lock')) {
    t.deepEqual(readFileSync(join(directory, name)), readFileSync(join(copy, name)), name)
  }
  t.deepEqual(readdirSync(directory), readdirSync(copy))
})
