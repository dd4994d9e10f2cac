// Files of a store cut, rotated and overwritten at every byte: what is lost is told, nothing is made up, and what did not
// lie there is still there.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DurableStore, type StoreLoss } from 'aiomqtt/store'
import test, { type ExecutionContext } from 'ava'
import { allowMinutes } from '../helpers/deadline.js'
import { LogEncoder, SegmentedLog } from '../unit/internals.js'
import { SimulatedDisk } from './simulated-disk.js'
import { type Contents, contentsOf, isSame, keyOf, randomFrom } from './workload.js'

const isLong = process.env.AIOMQTT_FAULTS === 'long'
const PUT_AND_END = 0x81

const BLOCK = 32 * 1024

/** A disk with a store, what that holds, and where. */
interface Filled {
  readonly disk: SimulatedDisk
  readonly contents: Contents
  /** Keys of records that have no byte in the blocks of these bytes of a file. */
  elsewhere(name: string, from: number, to: number): string[]
}

/** Small records, one that lies in several blocks, and several files. */
async function filled(fileSize: number, count: number): Promise<Filled> {
  const disk = new SimulatedDisk()
  const log = new SegmentedLog(disk, true, fileSize)
  await log.open()
  for (let number = 1; number <= count; number++) {
    const length = number === 3 ? 70_000 : 60
    await log.append([[[keyOf(number), Buffer.from(`${number} `.padEnd(length, `${number}`))]]])
  }
  const contents = await contentsOf(log)
  const { catalog } = log
  const places = [...contents.keys()].map((key) => {
    const { file, at, size } = catalog.index.get(key) as { file: number; at: number; size: number }
    return { key, name: catalog.segment(file)?.name, at, end: at + size }
  })
  await log.close()
  const elsewhere = (name: string, from: number, to: number) => {
    const begin = Math.floor(from / BLOCK) * BLOCK
    const end = Math.ceil(to / BLOCK) * BLOCK
    return places
      .filter((place) => place.name !== name || place.end <= begin || place.at >= end)
      .map(({ key }) => key)
  }
  return { disk, contents, elsewhere }
}

async function reopened(disk: SimulatedDisk): Promise<{ contents: Contents; losses: StoreLoss[] }> {
  const log = new SegmentedLog(disk, true, 1_000_000)
  await log.open()
  const contents = await contentsOf(log)
  await log.append([[['another', Buffer.from('x')]]])
  await log.close()
  const again = new SegmentedLog(disk.copy(), true, 1_000_000)
  await again.open()
  const more = await contentsOf(again)
  await again.close()
  if (more.size !== contents.size + 1) throw new Error(`${contents.size} records, and then ${more.size}`)
  return { contents, losses: log.losses }
}

/** Writes a file's bytes anew. */
async function overwrite(disk: SimulatedDisk, name: string, bytes: Uint8Array): Promise<SimulatedDisk> {
  const copy = disk.copy()
  const file = await copy.open(name, 'overwrite')
  await file.write(bytes, 0)
  await file.close()
  return copy
}

function check(
  t: ExecutionContext,
  whole: Contents,
  found: Contents,
  losses: StoreLoss[],
  what: string,
  neighbours: readonly string[] = [],
): number {
  for (const [key, value] of found) if (whole.get(key) !== value) t.fail(`${what}: ${key} is made up`)
  const lost = whole.size - found.size
  if (lost > 0 && losses.length === 0) t.fail(`${what}: ${lost} records are lost, and nothing is told`)
  for (const key of neighbours) if (!found.has(key)) t.fail(`${what}: ${key}, which lies elsewhere, is lost`)
  return lost
}

/**
 * Every byte in the long form; else some of them, and all that lie about the beginning, the end and a block's. Of the
 * reserve, whose bytes are random and never read, some are enough.
 */
function* positions(name: string, length: number, seed: number): Generator<number, void> {
  const random = randomFrom(seed)
  const isEach = isLong && name !== 'reserve'
  for (let at = 0; at < length; at++) {
    const isEdge = at < 120 || at > length - 60 || (at + 20) % BLOCK < 40
    if (isEach || isEdge || random(120) === 0) yield at
  }
}

test('a byte that was overwritten costs its record, or where that was the length, the rest of its block', async (t) => {
  allowMinutes(t, 2, 30)
  const { disk, contents, elsewhere } = await filled(40_000, 40)
  let lost = 0
  let most = 0
  let count = 0
  for (const name of disk.names) {
    const bytes = disk.bytes(name)
    for (const at of positions(name, bytes.length, 1)) {
      const damaged = Buffer.from(bytes)
      // One bit, all bits, a zero.
      const value = bytes[at] as number
      damaged[at] = [value ^ (1 << (at % 8)), value ^ 0xff, 0][count % 3] as number
      const found = await reopened(await overwrite(disk, name, damaged))
      const neighbours = elsewhere(name, at, at + 1)
      const gone = check(t, contents, found.contents, found.losses, `${name} at ${at}`, neighbours)
      lost += gone
      most = Math.max(most, gone)
      count++
    }
  }
  t.log(`${count} bytes, ${lost} records lost, ${most} at most`)
  t.true(lost > 0)
  t.true(most < 40)
})

test('a damaged payload costs no neighbour', async (t) => {
  const { disk, contents } = await filled(1_000_000, 40)
  const bytes = disk.bytes('records')
  for (const number of [1, 2, 20, 39]) {
    const damaged = Buffer.from(bytes)
    const at = bytes.indexOf(`${number} ${number}${number}`)
    damaged[at] = 0
    const { contents: found } = await reopened(await overwrite(disk, 'records', damaged))
    t.deepEqual(
      [...contents.keys()].filter((key) => !found.has(key)),
      [keyOf(number)],
    )
  }
})

test('a file that was cut holds what lies before the cut', async (t) => {
  allowMinutes(t, 2, 30)
  const { disk, contents, elsewhere } = await filled(40_000, 40)
  let count = 0
  for (const name of disk.names.filter((each) => each.startsWith('records'))) {
    const bytes = disk.bytes(name)
    const ends = [...contents]
      .filter(([, value]) => bytes.includes(value))
      .map(([key, value]) => ({ key, end: bytes.indexOf(value) + value.length }))
    for (const at of positions(name, bytes.length, 2)) {
      const copy = await overwrite(disk, name, bytes.subarray(0, at))
      const { contents: found, losses } = await reopened(copy)
      for (const [key, value] of found) if (contents.get(key) !== value) t.fail(`${name} at ${at}: ${key}`)
      for (const key of elsewhere(name, 0, bytes.length)) {
        if (!found.has(key)) t.fail(`${name} at ${at}: ${key}, of another file, is lost`)
      }
      // The last file says itself where it ends: a cut between two batches is none.
      if (ends.some(({ key, end }) => end <= at && !found.has(key)))
        t.fail(`${name} at ${at}: a record before the cut is lost`)
      if (name !== 'records' && losses.length === 0) t.fail(`${name} at ${at}: nothing is told`)
      count++
    }
  }
  t.log(`${count} cuts`)
  t.true(count > 0)
})

test('a file whose bytes were rotated holds nothing that was not stored, and costs no other file anything', async (t) => {
  allowMinutes(t, 2, 30)
  let count = 0
  for (const fileSize of [40_000, 1_000_000]) {
    const { disk, contents, elsewhere } = await filled(fileSize, 40)
    for (const name of disk.names) {
      const bytes = disk.bytes(name)
      for (const at of positions(name, bytes.length, 3)) {
        if (at === 0) continue
        const rotated = Buffer.concat([bytes.subarray(at), bytes.subarray(0, at)])
        const found = await reopened(await overwrite(disk, name, rotated))
        const neighbours = elsewhere(name, 0, bytes.length)
        check(t, contents, found.contents, found.losses, `${name} by ${at}`, neighbours)
        count++
      }
    }
  }
  t.log(`${count} rotations`)
  t.true(count > 0)
})

test('bytes that were moved within a file cost what lies between, and nothing before it', async (t) => {
  allowMinutes(t, 2, 30)
  const { disk, contents, elsewhere } = await filled(40_000, 40)
  const random = randomFrom(4)
  let count = 0
  for (const name of disk.names) {
    const bytes = disk.bytes(name)
    for (const at of positions(name, bytes.length, 5)) {
      // A piece changes places with the one behind it: what follows both stays where it is.
      const length = 1 + random(200)
      const [first, second] = [bytes.subarray(at, at + length), bytes.subarray(at + length, at + 2 * length)]
      const moved = Buffer.concat([bytes.subarray(0, at), second, first, bytes.subarray(at + 2 * length)])
      const found = await reopened(await overwrite(disk, name, moved))
      const neighbours = elsewhere(name, at, Math.min(bytes.length, at + 2 * length))
      check(t, contents, found.contents, found.losses, `${name} at ${at}`, neighbours)
      count++
    }
  }
  t.log(`${count} moves`)
  t.true(count > 0)
})

test('files that changed places, or came from another store, are not taken for each other', async (t) => {
  const { disk, contents } = await filled(2000, 60)
  const names = disk.names.filter((name) => /^records-/.test(name))
  t.true(names.length > 1)
  const [one, other] = names as [string, string]
  const swapped = await overwrite(await overwrite(disk, one, disk.bytes(other)), other, disk.bytes(one))
  t.deepEqual((await reopened(swapped)).contents, contents, 'a file says itself which one it is')
  const stranger = await filled(2000, 60)
  // The second half of a file is that of another store's.
  const mixed = Buffer.concat([
    disk.bytes('records').subarray(0, 60),
    stranger.disk.bytes('records').subarray(60),
  ])
  const { contents: found, losses } = await reopened(await overwrite(disk, 'records', mixed))
  check(t, contents, found, losses, 'mixed')
  t.true(losses.length > 0)
})

test('the head of the last file may be all that is gone, when it is the only file', async (t) => {
  const disk = new SimulatedDisk()
  const log = new SegmentedLog(disk, true, 2000)
  await log.open()
  for (let number = 1; number <= 100; number++) {
    await log.append([[[keyOf(number), Buffer.alloc(60)]]])
    await log.append([[[keyOf(number - 1), null]]])
  }
  await log.rewrite()
  await log.append([[[keyOf(101), Buffer.alloc(60)]]])
  await log.close()
  t.deepEqual(
    disk.names.filter((name) => name.startsWith('records')),
    ['records'],
  )
  const bytes = disk.bytes('records')
  for (const at of [0, 12, 20, 40]) {
    const damaged = Buffer.from(bytes)
    damaged[at] = (bytes[at] as number) ^ 1
    let copy = await overwrite(disk, 'records', damaged)
    let before: Contents | undefined
    for (let time = 0; time < 3; time++) {
      const again = new SegmentedLog(copy, true, 2000)
      await again.open()
      const contents = await contentsOf(again)
      t.true(before === undefined || isSame(contents, before), `byte ${at}, opened ${time + 1} times`)
      await again.append([[['another', Buffer.from(`${time}`)]]])
      before = new Map([...contents, ['another', `${time}`]])
      await again.close()
      copy = copy.copy()
    }
  }
})

test('two files that are copies of each other are refused', async (t) => {
  const { disk } = await filled(2000, 60)
  const copy = await overwrite(disk, 'records-00000099', disk.bytes('records'))
  await t.throwsAsync(reopened(copy), {
    message: /^The store's files records-00000099 and records are copies/,
  })
})

test('a file that is gone is told', async (t) => {
  const { disk, contents } = await filled(2000, 60)
  const [, name] = disk.names.filter((each) => /^records-/.test(each)) as [string, string]
  const copy = disk.copy()
  await copy.remove(name)
  const { contents: found, losses } = await reopened(copy)
  t.true(found.size < contents.size)
  t.deepEqual(losses, [{ file: name, kind: 'missing', at: 0, bytes: 0, key: null }])
})

test('a payload that is full of records in the right layout is never taken for some', async (t) => {
  for (const fill of ['this file', 'another file']) {
    const disk = new SimulatedDisk()
    const log = new SegmentedLog(disk, true, 1_000_000)
    await log.open()
    await log.append([[[keyOf(1), Buffer.from('honest')]]])
    const { tag, end } = log.catalog.last as { tag: number; end: number }
    // What a record looks like at the place where the payload is going to be, by somebody who has read the file.
    const encoder = new LogEncoder(fill === 'this file' ? tag : 1, end + 40, 100_000)
    for (let count = 0; count < 500; count++) encoder.add(PUT_AND_END, keyOf(666), Buffer.from('forged'))
    await log.append([[[keyOf(2), Buffer.concat(encoder.take())]]])
    await log.append([[[keyOf(3), Buffer.from('after')]]])
    await log.close()
    const bytes = disk.bytes('records')
    for (let at = end; at < end + 60; at++) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (bytes[at] as number) ^ 0xff
      const { contents } = await reopened(await overwrite(disk, 'records', damaged))
      t.false(contents.has(keyOf(666)), `a byte at ${at}`)
      t.true(contents.has(keyOf(1)))
    }
    for (let at = end; at < bytes.length; at += isLong ? 1 : 97) {
      const { contents } = await reopened(await overwrite(disk, 'records', bytes.subarray(0, at)))
      t.false(contents.has(keyOf(666)), `cut at ${at}`)
    }
  }
})

test('a file of a later layout is refused, and stays as it is', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  const value = Buffer.concat([
    Buffer.from('aiomqtt store\n'),
    Buffer.of(3),
    Buffer.from('whatever comes then'),
  ])
  const encoder = new LogEncoder(1, 0, 100)
  encoder.add(0x83, '', value)
  writeFileSync(join(folder, 'records'), Buffer.concat(encoder.take()))
  const before = readFileSync(join(folder, 'records'))
  await t.throwsAsync(new DurableStore(folder).batch([['a', null]]), {
    message: /has layout 3, which this version of aiomqtt does not know/,
  })
  t.deepEqual(readFileSync(join(folder, 'records')), before)
})

test('a directory that other files lie in is left in peace', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rmSync(folder, { recursive: true, force: true }))
  for (const name of ['records.1', 'records-1', 'records-x', 'notes.txt'])
    writeFileSync(join(folder, name), name)
  const store = new DurableStore(folder)
  await store.batch([['a', Buffer.from('b')]])
  await store.close()
  const backup = mkdtempSync(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rmSync(backup, { recursive: true, force: true }))
  cpSync(folder, backup, { recursive: true })
  const other = new DurableStore(backup)
  const found: string[] = []
  for await (const [key] of other.load()) found.push(key)
  await other.close()
  t.deepEqual(found, ['a'])
  for (const name of ['records.1', 'records-1', 'records-x', 'notes.txt']) {
    t.is(readFileSync(join(folder, name), 'utf8'), name)
  }
  t.true(readdirSync(folder).includes('records'))
})
