// Whatever the disk refuses, and whenever: the call rejects, what was stored stays, what was refused is not there, and all
// works again when the disk does. The faults lie in a simulated disk below the store.

import test, { type ExecutionContext } from 'ava'
import { allowMinutes } from '../helpers/deadline.js'
import { SegmentedLog } from '../unit/internals.js'
import { type Request, SimulatedDisk, systemError } from './simulated-disk.js'
import { after, batches, type Contents, contentsOf, isSame } from './workload.js'

const FILE_SIZE = 6000

interface Outcome {
  readonly contents: Contents
  readonly refused: number
  readonly requests: number
}

/** Runs batches; `fault` says which of the disk's requests fail, by their number. */
async function run(
  t: ExecutionContext,
  isSynced: boolean,
  fault: (request: Request, number: number) => string | null,
): Promise<Outcome> {
  const disk = new SimulatedDisk()
  const log = new SegmentedLog(disk, isSynced, FILE_SIZE)
  await log.open()
  let contents: Contents = new Map()
  let refused = 0
  let requests = 0
  disk.fault = (request) => {
    const code = fault(request, requests++)
    if (code !== null) throw systemError(code)
  }
  for (const changes of batches(11, 60)) {
    const wanted = after(contents, changes)
    try {
      await log.append([changes])
      contents = wanted
    } catch (error) {
      t.truthy((error as NodeJS.ErrnoException).code, `${error}`)
      refused++
    }
  }
  disk.fault = () => {}
  const name = `refused ${refused}`
  t.true(isSame(await contentsOf(log), contents), `while it is open: ${name}`)
  const [more] = batches(12, 1)
  await log.append([more as never])
  contents = after(contents, more as never)
  await log.close()
  t.is(disk.opened, 0, 'files are left open')
  const again = new SegmentedLog(disk.copy(), isSynced, FILE_SIZE)
  await again.open()
  t.true(isSame(await contentsOf(again), contents), `opened again: ${name}`)
  t.deepEqual(again.losses, [])
  await again.close()
  return { contents, refused, requests }
}

for (const code of ['EIO', 'ENOSPC', 'EMFILE', 'EROFS']) {
  test(`${code} for each request once`, async (t) => {
    allowMinutes(t, 2, 5)
    const { requests } = await run(t, true, () => null)
    let refused = 0
    for (let number = 0; number < requests; number++) {
      refused += (await run(t, true, (_, each) => (each === number ? code : null))).refused
    }
    t.log(`${requests} requests, ${refused} batches refused`)
    t.true(code === 'EMFILE' || refused > 0)
  })

  test(`${code} for a while, for one kind of request`, async (t) => {
    const kinds: Request[] = ['open', 'read', 'write', 'sync', 'rename', 'remove', 'check']
    for (const kind of kinds) {
      for (let from = 0; from < 300; from += 23) {
        const isBad = (request: Request, number: number) =>
          request === kind && number >= from && number < from + 40
        await run(t, from % 2 === 0, (request, number) => (isBad(request, number) ? code : null))
      }
    }
  })
}

test('a full disk: what fits is taken, deletions always are, and all is as before when there is room', async (t) => {
  for (const capacity of [100_000, 110_000, 150_000, 200_000]) {
    const disk = new SimulatedDisk()
    disk.capacity = capacity
    const log = new SegmentedLog(disk, true, FILE_SIZE)
    await log.open()
    let contents: Contents = new Map()
    let number = 0
    const put = async () => {
      const changes = [[`key-${number++}`, Buffer.from('x'.repeat(1000))]] as never
      await log.append([changes])
      contents = after(contents, changes)
    }
    const drop = async (key: string) => {
      await log.append([[[key, null]]])
      contents = after(contents, [[key, null]])
    }
    for (let round = 0; round < 3; round++) {
      let refusal: unknown
      while (refusal === undefined) await put().catch((error: unknown) => (refusal = error))
      t.is((refusal as NodeJS.ErrnoException).code, 'ENOSPC')
      t.true(disk.used <= capacity)
      t.true(isSame(await contentsOf(log), contents))
      for (const key of [...contents.keys()]) await drop(key)
      t.is(contents.size, 0)
      t.true(disk.used < 100_000, `${disk.used} bytes are left in ${disk.names}`)
    }
    // With one message that stays, as the oldest one, in the way of all files behind it.
    await put()
    for (let round = 0; round < 200; round++) {
      await put()
      await drop([...contents.keys()].at(-1) as string)
    }
    t.is(contents.size, 1)
    await log.close()
    const again = new SegmentedLog(disk.copy(), true, FILE_SIZE)
    await again.open()
    t.true(isSame(await contentsOf(again), contents))
  }
})
