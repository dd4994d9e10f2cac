// A store on a disk that is too small for what is put into it.
//
//   node filler.js <directory> <sync>

import { fileURLToPath } from 'node:url'
import { DurableStore } from 'aiomqtt/store'
import { keyOf } from './workload.js'

/** A store, and how it is opened again. */
export interface Filled {
  put(key: string, value: Buffer): Promise<void>
  drop(key: string): Promise<void>
  contents(): Promise<Map<string, string>>
  reopen(): Promise<void>
}

const VALUE = 40_000
const FEW = 5

/** Fills a store until the disk is full, empties it, and fills it again; what it holds is looked at each time. */
export async function fillAndEmpty(store: Filled): Promise<string> {
  const model = new Map<string, string>()
  let number = 0
  const put = async () => {
    const value = `${number} `.padEnd(VALUE, 'x')
    const key = keyOf(++number)
    await store.put(key, Buffer.from(value))
    model.set(key, value)
  }
  const drop = async (key: string) => {
    await store.drop(key)
    model.delete(key)
  }
  const check = async (when: string) => {
    const found = await store.contents()
    if (found.size !== model.size) throw new Error(`${when}: ${found.size} records instead of ${model.size}`)
    for (const [key, value] of model) {
      if (found.get(key) !== value) throw new Error(`${when}: ${key} has another value`)
    }
  }
  const fill = async () => {
    for (;;) {
      try {
        await put()
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error
        return
      }
    }
  }
  for (let round = 1; round <= 3; round++) {
    await fill()
    if (model.size < FEW) throw new Error(`only ${model.size} records had room`)
    await check(`full, round ${round}`)
    if (round === 2) {
      await store.reopen()
      await check('full, opened again')
    }
    // The oldest one stays, in the way of all files behind it.
    for (const key of [...model.keys()].slice(1)) await drop(key)
    await check(`emptied, round ${round}`)
  }
  for (let count = 0; count < FEW; count++) {
    await put()
    await drop([...model.keys()].at(-1) as string)
  }
  await store.reopen()
  await check('at the end')
  return `${number} messages`
}

function onDisk(directory: string, sync: boolean): Filled {
  const store = new DurableStore(directory, { sync })
  return {
    put: (key, value) => store.batch([[key, value]]),
    drop: (key) => store.batch([[key, null]]),
    contents: async () => {
      const found = new Map<string, string>()
      for await (const [key, value] of store.load((text) => console.log(text)))
        found.set(key, value.toString())
      return found
    },
    reopen: () => store.close(),
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [directory = '', sync] = process.argv.slice(2)
  console.log(await fillAndEmpty(onDisk(directory, sync === 'true')))
}
