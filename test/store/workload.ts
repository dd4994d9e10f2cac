// What the tests of the store's files do to a SegmentedLog: messages come and go as a client's do, and some stay.

import type { StoreChange } from 'aiomqtt'
import type { SegmentedLog as Log } from '../../dist/store/segmented-log.js'

/** What a store holds. */
export type Contents = ReadonlyMap<string, string>

/** Numbers that look random, and are the same each time. */
export function randomFrom(seed: number): (below: number) => number {
  let state = seed * 2 + 1
  return (below) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return Math.floor((state / 2 ** 31) * below)
  }
}

export function keyOf(number: number): string {
  return `out-${String(number).padStart(14, '0')}`
}

/**
 * Batches of a client that publishes, is acknowledged, changes what it has stored, and keeps a message for ever now and
 * then.
 */
export function* batches(seed: number, count: number, largest = 300): Generator<StoreChange[], void> {
  const random = randomFrom(seed)
  const open: number[] = []
  let next = 1
  for (let index = 0; index < count; index++) {
    const changes: StoreChange[] = []
    for (let each = random(4); each >= 0; each--) {
      const choice = random(10)
      if (choice < 5 || open.length === 0) {
        const length = random(20) === 0 ? 40_000 : random(largest)
        changes.push([keyOf(next), Buffer.from(`${next} `.padEnd(length, `${index} `))])
        if (random(15) > 0) open.push(next)
        next++
      } else if (choice < 6) {
        const number = open[random(open.length)] as number
        changes.push([keyOf(number), Buffer.from(`${number} again ${index}`)])
      } else {
        changes.push([keyOf(open.splice(random(Math.min(3, open.length)), 1)[0] as number), null])
      }
    }
    yield changes
  }
}

/** The contents after some changes. */
export function after(contents: Contents, changes: readonly StoreChange[]): Contents {
  const next = new Map(contents)
  for (const [key, value] of changes) {
    if (value === null) next.delete(key)
    else next.set(key, Buffer.from(value).toString())
  }
  return next
}

export async function contentsOf(log: Log): Promise<Contents> {
  const found = new Map<string, string>()
  for (const key of log.catalog.index.keys()) {
    const value = await log.read(key)
    if (value !== null) found.set(key, value.toString())
  }
  return found
}

export function isSame(one: Contents, other: Contents): boolean {
  if (one.size !== other.size) return false
  for (const [key, value] of one) if (other.get(key) !== value) return false
  return true
}
