// npm run fuzz:store -- --minutes N: stores whose files were damaged at random are opened, read, written on and rewritten.
// Nothing may throw, take long, stay open, or be read that was not stored.
//
//   node scripts/fuzz-store.mjs [--minutes N] [--seed N]

import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { compileTests } from './ava.mjs'
import { compile } from './compile.mjs'
import { at, Failure, main, say } from './steps.mjs'

/** Milliseconds that a store of a few hundred kilobytes may take, on a busy machine. */
const PATIENCE = 5000
const FILE_SIZES = [2000, 20_000, 100_000]

const load = (path) => import(pathToFileURL(at(path)))

await main(async () => {
  const { values } = parseArgs({
    options: { minutes: { type: 'string', default: '5' }, seed: { type: 'string', default: '1' } },
  })
  const minutes = Number(values.minutes)
  if (!(minutes > 0)) throw new Failure('--minutes takes a number above 0.')
  compile()
  compileTests()
  const [{ SimulatedDisk }, { batches, after, contentsOf, randomFrom }, { SegmentedLog }, { decodePublish }] =
    await Promise.all([
      load('build/test/store/simulated-disk.js'),
      load('build/test/store/workload.js'),
      load('dist/store/segmented-log.js'),
      load('dist/store/message-record.js'),
    ])

  /** A store, and all values that each of its keys has ever had. */
  async function makeStore(seed) {
    const disk = new SimulatedDisk()
    const log = new SegmentedLog(disk, true, FILE_SIZES[seed % FILE_SIZES.length])
    await log.open()
    const ever = new Map()
    let contents = new Map()
    for (const changes of batches(seed, 40)) {
      await log.append([changes])
      contents = after(contents, changes)
      for (const [key, value] of changes) {
        if (value === null) continue
        if (!ever.has(key)) ever.set(key, new Set())
        ever.get(key).add(value.toString())
      }
    }
    await log.close()
    return { disk, ever, contents }
  }

  /** Damages some bytes of a file: other bits, other bytes, pieces taken out, put in, repeated or cut off. */
  function damaged(bytes, random) {
    let result = Buffer.from(bytes)
    for (let count = 1 + random(4); count > 0 && result.length > 0; count--) {
      const place = random(result.length)
      const length = Math.min(random(3) === 0 ? random(40_000) : random(20), result.length - place)
      const piece = result.subarray(place, place + length)
      const parts = [result.subarray(0, place), result.subarray(place + length)]
      const kind = random(7)
      if (kind === 0) result[place] ^= 1 << random(8)
      else if (kind === 1) piece.fill(random(256))
      else if (kind === 2) result = Buffer.concat(parts)
      else if (kind === 3) result = Buffer.concat([parts[0], piece, piece, parts[1]])
      else if (kind === 4) result = result.subarray(0, place)
      else if (kind === 5) result = Buffer.concat([parts[1], parts[0]])
      else for (let index = 0; index < piece.length; index++) piece[index] = random(256)
    }
    return result
  }

  async function round(seed) {
    const random = randomFrom(seed)
    const { disk, ever, contents } = await makeStore(seed % 50)
    const copy = disk.copy()
    for (let count = 1 + random(2); count > 0; count--) {
      const names = copy.names.filter((name) => name.startsWith('records'))
      const name = names[random(names.length)]
      if (random(10) === 0 && names.length > 1) {
        await copy.remove(name)
        continue
      }
      const bytes = damaged(copy.bytes(name), random)
      const file = await copy.open(name, 'overwrite')
      await file.write(bytes, 0)
      await file.close()
    }
    const begun = performance.now()
    const log = new SegmentedLog(copy, true, 20_000)
    await log.open()
    const found = await contentsOf(log)
    for (const [key, value] of found) {
      if (!ever.get(key)?.has(value)) throw new Failure(`seed ${seed}: ${key} has a value that nobody stored`)
      decodePublish(Buffer.from(value))
    }
    const missing = [...contents.keys()].filter((key) => !found.has(key))

    await log.append([[['another', Buffer.from('x')]]])
    await log.rewrite()
    await log.close()
    const again = new SegmentedLog(copy.copy(), true, 20_000)
    await again.open()
    const more = await contentsOf(again)
    await again.close()
    if (more.size !== found.size + 1)
      throw new Failure(`seed ${seed}: ${found.size} records, and then ${more.size}`)
    if (again.losses.length > 0) throw new Failure(`seed ${seed}: a store that was rewritten is damaged`)
    if (copy.opened > 0) throw new Failure(`seed ${seed}: ${copy.opened} files are left open`)
    const took = performance.now() - begun
    if (took > PATIENCE) throw new Failure(`seed ${seed}: ${Math.round(took)} ms`)
    return missing.length
  }

  say(`Damaged stores for ${minutes} minutes`)
  const end = performance.now() + minutes * 60_000
  let count = 0
  let lost = 0
  for (let seed = Number(values.seed); performance.now() < end; seed++) {
    try {
      lost += await round(seed)
    } catch (error) {
      // Two files that say that they are the same one are refused, whoever made them so.
      if (error.code !== 'ERR_MQTT_STORE')
        throw error instanceof Failure ? error : new Error(`seed ${seed}`, { cause: error })
    }
    count++
  }
  console.log(`${count} stores, ${lost} records lost`)
})
