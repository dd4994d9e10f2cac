import test from 'ava'
import { RecordIndex } from './internals.js'

const place = (at: number) => ({ file: 1, at, size: 10, counted: 5 })

test('RecordIndex is a map whose keys are sorted', (t) => {
  const index = new RecordIndex()
  const model = new Map<string, number>()
  const keys = [
    'a',
    'a1',
    'a01',
    'a10',
    'a2',
    'b',
    '7',
    '07',
    'out-00000000000300',
    'in-00001',
    'x12345678901234567890',
  ]
  let state = 1
  for (let round = 0; round < 20_000; round++) {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    const number = state >>> 8
    const key =
      round % 5 === 0
        ? (keys[number % keys.length] as string)
        : `out-${String(number % 3000).padStart(14, '0')}`
    const before = model.get(key) ?? null
    if (number % 3 === 0) {
      t.is(index.delete(key)?.at ?? null, before)
      model.delete(key)
    } else {
      t.is(index.set(key, place(round))?.at ?? null, before)
      model.set(key, round)
    }
  }
  t.is(index.size, model.size)
  t.deepEqual(
    [...index.keys()],
    [...model.keys()].sort((one, other) => (one < other ? -1 : 1)),
  )
  for (const [key, at] of model) t.is(index.get(key)?.at, at)
  t.is(index.count('out-'), [...model.keys()].filter((key) => key.startsWith('out-')).length)
})

test('RecordIndex keeps nothing of what is gone, and little of what is there', (t) => {
  const index = new RecordIndex()
  const key = (number: number) => `out-${String(number).padStart(14, '0')}`
  for (let number = 0; number < 200_000; number++) {
    index.set(key(number), place(number))
    if (number >= 1000) index.delete(key(number - 1000))
  }
  t.is(index.size, 1000)
  t.is([...index.keys()].length, 1000)
  t.is(index.get(key(10)), null)
})
