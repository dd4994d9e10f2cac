// A simulated disk keeps each write and each sync of a run. For every moment of it, and for every choice of the writes that
// no sync had confirmed by then (a bounded number of them, some cut in two), a store is opened on what a power loss leaves.

import test from 'ava'
import { allowMinutes } from '../helpers/deadline.js'
import { SegmentedLog } from '../unit/internals.js'
import { SimulatedDisk } from './simulated-disk.js'
import { after, batches, type Contents, contentsOf, isSame, randomFrom } from './workload.js'

const isLong = process.env.AIOMQTT_FAULTS === 'long'
const FILE_SIZE = 6000

/** Choices of what is on the disk of the writes in doubt: all of them if they are few, else some. */
function* choices(inDoubt: readonly number[], most: number, random: (below: number) => number) {
  yield () => 0
  yield () => 1
  const shares = [0, 0.5, 1]
  if (shares.length ** inDoubt.length <= most) {
    for (let number = 0; number < shares.length ** inDoubt.length; number++) {
      yield (operation: number) => {
        const digit = Math.floor(number / shares.length ** inDoubt.indexOf(operation)) % shares.length
        return shares[digit] as number
      }
    }
    return
  }
  for (let count = 0; count < most; count++) {
    const chosen = new Map(inDoubt.map((operation) => [operation, shares[random(3)] as number]))
    yield (operation: number) => chosen.get(operation) as number
  }
}

/** Runs batches on a disk, each of which is marked when it was acknowledged. */
async function run(disk: SimulatedDisk, isSynced: boolean, seed: number, count: number) {
  const log = new SegmentedLog(disk, isSynced, FILE_SIZE)
  await log.open()
  const states: Contents[] = [await contentsOf(log)]
  for (const changes of batches(seed, count)) {
    states.push(after(states.at(-1) as Contents, changes))
    await log.append([changes])
    disk.mark(states.length - 1)
  }
  await log.close()
  return states
}

/** Opens what is left, and says what it holds; nothing but the last batch may be missing. */
async function recovered(disk: SimulatedDisk) {
  const log = new SegmentedLog(disk, true, FILE_SIZE)
  await log.open()
  const contents = await contentsOf(log)
  await log.close()
  return { contents, losses: log.losses.filter(({ kind }) => kind !== 'unfinished') }
}

test('sync: true keeps what was acknowledged, whatever a power loss leaves of the rest', async (t) => {
  allowMinutes(t, 2, 10)
  for (let seed = 1; seed <= (isLong ? 20 : 1); seed++) {
    const disk = new SimulatedDisk()
    const states = await run(disk, true, seed, isLong ? 150 : 60)
    const random = randomFrom(seed)
    let acknowledged = 0
    let opened = 0
    for (let end = 0; end <= disk.operations.length; end++) {
      const last = disk.operations[end - 1]
      if (last?.kind === 'mark') acknowledged = last.value
      for (const keeps of choices(disk.unconfirmed(end), isLong ? 81 : 9, random)) {
        const { contents, losses } = await recovered(disk.afterPowerLoss(end, keeps))
        opened++
        const expected = states.slice(acknowledged, acknowledged + 2)
        if (!expected.some((state) => isSame(state, contents)) || losses.length > 0) {
          t.fail(
            `seed ${seed}, after operation ${end} of ${disk.operations.length}: ${JSON.stringify(losses)}`,
          )
          return
        }
      }
    }
    t.log(`${disk.operations.length} operations, ${opened} disks`)
    t.true(disk.operations.filter(({ kind }) => kind === 'rename').length > 3, 'files became full')
    t.true(disk.operations.filter(({ kind }) => kind === 'remove').length > 3, 'files were dropped')
  }
})

test('the simulator tells a store that does not sync from one that does', async (t) => {
  const disk = new SimulatedDisk()
  const states = await run(disk, false, 1, 30)
  const { contents } = await recovered(disk.afterPowerLoss(disk.operations.length, () => 0))
  t.false(isSame(contents, states.at(-1) as Contents))
})

for (const isSynced of [false, true]) {
  test(`the end of the process costs nothing that was acknowledged (sync: ${isSynced})`, async (t) => {
    const disk = new SimulatedDisk()
    const states = await run(disk, isSynced, 7, isLong ? 300 : 100)
    let acknowledged = 0
    for (let end = 0; end <= disk.operations.length; end++) {
      const last = disk.operations[end - 1]
      if (last?.kind === 'mark') acknowledged = last.value
      const { contents, losses } = await recovered(disk.afterPowerLoss(end, () => 1))
      const expected = states.slice(acknowledged, acknowledged + 2)
      t.true(
        expected.some((state) => isSame(state, contents)),
        `after operation ${end}`,
      )
      t.deepEqual(losses, [])
    }
  })
}

test('one power loss after the other, also in the midst of opening', async (t) => {
  allowMinutes(t, 2, 10)
  const random = randomFrom(3)
  let disk = new SimulatedDisk()
  let expected: readonly Contents[] = [new Map()]
  for (let round = 0; round < (isLong ? 2000 : 150); round++) {
    const log = new SegmentedLog(disk, true, FILE_SIZE)
    await log.open()
    const found = await contentsOf(log)
    t.true(
      expected.some((state) => isSame(state, found)),
      `round ${round}`,
    )
    disk.mark(0)
    const states: Contents[] = [found]
    for (const changes of batches(round, random(8))) {
      states.push(after(states.at(-1) as Contents, changes))
      await log.append([changes])
      disk.mark(states.length - 1)
    }
    await log.close()
    const end = random(disk.operations.length + 1)
    const marks = disk.operations.slice(0, end).filter(({ kind }) => kind === 'mark')
    const acknowledged = (marks.at(-1) as { value: number } | undefined)?.value ?? 0
    // Before the first mark the store was being opened: what it held is still what it holds.
    expected = states.slice(acknowledged, acknowledged + 2)
    const shares = new Map<number, number>()
    disk = disk.afterPowerLoss(end, (operation) => {
      const share = shares.get(operation) ?? random(3) / 2
      shares.set(operation, share)
      return share
    })
  }
})
