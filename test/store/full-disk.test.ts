// A disk that is really full: a file system of a few megabytes, where this system lets a test mount one; else the
// simulated one.

import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test, { type ExecutionContext } from 'ava'
import { within } from '../helpers/deadline.js'
import { SegmentedLog } from '../unit/internals.js'
import { type Filled, fillAndEmpty } from './filler.js'
import { SimulatedDisk } from './simulated-disk.js'
import { contentsOf } from './workload.js'

const MEBIBYTES = 3
const run = promisify(execFile)
const program = fileURLToPath(new URL('filler.js', import.meta.url))

/** What gives a program mounts of its own. */
const namespaces = [
  ['unshare', '--mount'],
  ['unshare', '--user', '--map-root-user', '--mount'],
]

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

/** Runs a command in a file system of its own; null if this system does not allow one. */
async function onSmallDisk(directory: string, command: string[]): Promise<string | null> {
  const mount = `mount -t tmpfs -o size=${MEBIBYTES}m none "$0" && exec "$@"`
  for (const [unshare, ...flags] of namespaces) {
    const start = [...flags, 'sh', '-c', mount, directory]
    const isAllowed = await run(unshare as string, [...start, 'true']).then(
      () => true,
      () => false,
    )
    if (isAllowed) return (await run(unshare as string, [...start, ...command], { timeout: 60_000 })).stdout
  }
  return null
}

async function simulated(isSynced: boolean): Promise<Filled> {
  const disk = new SimulatedDisk()
  disk.capacity = MEBIBYTES * 1024 * 1024
  const open = async () => {
    const log = new SegmentedLog(disk, isSynced)
    await log.open()
    return log
  }
  let log = await open()
  return {
    put: (key, value) => log.append([[[key, value]]]),
    drop: (key) => log.append([[[key, null]]]),
    contents: async () => new Map(await contentsOf(log)),
    reopen: async () => {
      await log.close()
      log = await open()
    },
  }
}

for (const sync of [false, true]) {
  test(`it fills up and is emptied, again and again (sync: ${sync})`, async (t) => {
    const directory = await folder(t)
    const real = onSmallDisk(directory, [process.execPath, program, directory, String(sync)])
    const output = (await within(90_000, 'filling', real)) ?? (await fillAndEmpty(await simulated(sync)))
    t.log(output.trim())
    t.regex(output, /^\d+ messages\s*$/)
  })

  test(`so does the simulated one (sync: ${sync})`, async (t) => {
    t.regex(await fillAndEmpty(await simulated(sync)), /^\d+ messages$/)
  })
}
