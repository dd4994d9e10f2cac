// A store of the first layout: a file that the first version of the package wrote (its bytes are made here, as that did) is
// written anew when it is opened, and what cannot be read of it is told, and kept.

import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DurableStore } from 'aiomqtt/store'
import test, { type ExecutionContext } from 'ava'
import { listening } from '../helpers/client.js'
import { runCommand } from '../helpers/command-line.js'
import { Recorder } from '../helpers/logger.js'
import { joined, kept } from '../helpers/memory-store.js'
import { shown } from '../helpers/reconnect.js'
import { decodePublish } from '../unit/internals.js'

const keyOf = (number: number) => `out-${String(number).padStart(14, '0')}`

/** CRC-32 as zlib has it. */
function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (-(crc & 1) & 0xedb8_8320)
  }
  return ~crc >>> 0
}

/** A record of the first layout. */
function record(key: string, value: Uint8Array | null, endsBatch = true): Buffer {
  const head = Buffer.alloc(15)
  head.write('aMq1')
  head[4] = (value === null ? 1 : 0) | (endsBatch ? 2 : 0)
  head.writeUInt16LE(key.length, 5)
  head.writeUInt32LE(value?.length ?? 0, 7)
  const body = Buffer.concat([Buffer.from(key), value ?? Buffer.alloc(0)])
  head.writeUInt32LE(crc32(Buffer.concat([head.subarray(0, 11), body])), 11)
  return Buffer.concat([head, body])
}

/** A message's value of the first layout: four bytes, and the addon's command. */
function message(
  topic: string,
  payload: string,
  identifier = 0,
  qos = 1,
  properties = Buffer.alloc(0),
): Buffer {
  const content = Buffer.concat([Buffer.from(`${topic}\0`), properties, Buffer.from(payload)])
  const command = Buffer.alloc((32 + content.length + 3) & ~3)
  content.copy(command, 32)
  command.writeUInt32LE(command.length, 0)
  command[4] = 1
  command[5] = qos
  for (const [at, length] of [
    [16, topic.length],
    [20, properties.length],
    [24, payload.length],
  ] as const) {
    command.writeUInt32LE(length, at)
  }
  return Buffer.concat([Buffer.of(1, 0, identifier & 255, identifier >> 8), command])
}

function folder(t: ExecutionContext, file: Uint8Array): string {
  const path = mkdtempSync(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rmSync(path, { recursive: true, force: true }))
  writeFileSync(join(path, 'records'), file)
  return path
}

async function contents(directory: string) {
  const store = new DurableStore(directory)
  const warnings: string[] = []
  const found = new Map<string, Buffer>()
  for await (const [key, value] of store.load((text) => warnings.push(text)))
    found.set(key, Buffer.from(value))
  await store.close()
  return { found, warnings }
}

const whole = Buffer.concat([
  record(keyOf(1), message('a', 'gone')),
  record(keyOf(2), message('a/b', 'one', 0x1234, 2, Buffer.from('\x06\x03\0\x03x/y')), false),
  record(keyOf(3), message('a/c', 'two')),
  record(keyOf(1), null),
  record(keyOf(4), Buffer.of(1, 1, 7, 0)),
  record('in-00009', Buffer.alloc(0)),
])

test('a file of the first layout is written anew, with all that it holds', async (t) => {
  const directory = folder(t, whole)
  const { found, warnings } = await contents(directory)
  t.deepEqual([...found.keys()], ['in-00009', keyOf(2), keyOf(3), keyOf(4)])
  t.deepEqual(warnings, [])
  const one = decodePublish(found.get(keyOf(2)) as Buffer) as Exclude<
    ReturnType<typeof decodePublish>,
    string
  >
  t.deepEqual(
    [one.identifier, one.qos, one.isReleased, String(one.topic), String(one.payload), String(one.properties)],
    [0x1234, 2, false, 'a/b', 'one', '\x06\x03\0\x03x/y'],
  )
  t.like(decodePublish(found.get(keyOf(4)) as Buffer), { identifier: 7, qos: 2, isReleased: true })
  t.false(readFileSync(join(directory, 'records')).subarray(0, 4).equals(Buffer.from('aMq1')))
  t.deepEqual((await contents(directory)).found, found)
  t.false(readdirSync(directory).some((name) => /new|old/.test(name)))
})

test('what follows a damaged record is not looked for, is told, and stays in a file of its own', async (t) => {
  const good = record(keyOf(1), message('a', 'good'))
  const forged = record(keyOf(3), message('a', 'forged'))
  const bad = Buffer.concat([good, Buffer.from('damaged'), forged])
  const directory = folder(t, bad)
  const { found, warnings } = await contents(directory)
  t.deepEqual([...found.keys()], [keyOf(1)])
  t.is(warnings.length, 1)
  t.regex(
    warnings[0] as string,
    new RegExp(`${bad.length - good.length} bytes at ${good.length} of records.old are damaged`),
  )
  t.deepEqual(readFileSync(join(directory, 'records.old')), bad)
})

test('a batch that was not written to its end does not count', async (t) => {
  const directory = folder(t, Buffer.concat([whole, record(keyOf(9), message('a', 'x'), false)]))
  const { found, warnings } = await contents(directory)
  t.false(found.has(keyOf(9)))
  t.is(warnings.length, 1)
})

test('the process may end while the file is written anew', async (t) => {
  const directory = folder(t, whole)
  writeFileSync(join(directory, 'records.new'), 'half')
  t.is((await contents(directory)).found.size, 4)
})

test('a client sends what such a file holds', async (t) => {
  const directory = folder(t, record(keyOf(1), message('a/b', 'one', 3)))
  const peer = await listening(t)
  const store = new DurableStore(directory)
  t.teardown(() => store.close())
  const logger = new Recorder()
  const { session } = await joined(t, peer, { ...kept(5, store as never), logger }, true)
  t.is(shown(await session.next('publish')), '1 dup a/b one #3')
  t.deepEqual(logger.lines.warn, [])
})

test('aiomqtt store says what to do with such a file, and repair does it', async (t) => {
  const directory = folder(t, whole)
  const { code, errors } = await runCommand(t, ['store', directory])
  t.is(code, 1)
  t.is(
    errors,
    `Error: The store has the layout of the first version: aiomqtt store ${directory} repair writes it anew\n`,
  )
  t.deepEqual(readFileSync(join(directory, 'records')), whole)
  t.is((await runCommand(t, ['store', directory, 'repair'])).code, 0)
  t.is((await contents(directory)).found.size, 4)
})
