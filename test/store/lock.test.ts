// One store a directory: in one process, in its threads, in the workers of a cluster, in other processes and containers.

import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import type { MqttError } from 'aiomqtt'
import { DurableStore } from 'aiomqtt/store'
import test, { type ExecutionContext } from 'ava'
import { patience } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'

/** How long a program may take to start, in milliseconds. */
const start = 30_000

async function folder(t: ExecutionContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'aiomqtt-store-'))
  t.teardown(() => rm(path, { recursive: true, force: true }))
  return path
}

const library = new URL('../../../dist/store/index.js', import.meta.url).href

/** A program that opens a store, says so, or why not, and keeps it. */
function holder(directory: string): string {
  return `
    const { DurableStore } = await import(${JSON.stringify(library)})
    const store = new DurableStore(${JSON.stringify(directory)})
    try {
      await store.batch([['from-' + process.pid, Buffer.from('x')]])
      console.log('opened')
    } catch (error) {
      console.log(error.message)
    }
    setInterval(() => {}, 1000)`
}

/** Runs it, and gives its first line. */
async function opened(t: ExecutionContext, directory: string, before: string[] = []) {
  const [command, ...args] = [...before, process.execPath, '--input-type=module', '-e', holder(directory)]
  const child = spawn(command as string, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  t.teardown(() => child.kill('SIGKILL'))
  const [line] = (await within(start, 'a program', once(child.stdout, 'data'))) as [Buffer]
  return { child, line: String(line).trim() }
}

test('two stores of one process: the error names it, and closing the first one makes room', async (t) => {
  const directory = await folder(t)
  const [one, other] = [new DurableStore(directory), new DurableStore(directory)]
  t.teardown(() => other.close())
  await one.batch([['a', Buffer.from('1')]])
  const error = (await rejection(patience, 'batch()', other.batch([['a', null]]))) as MqttError
  t.is(error.code, 'ERR_MQTT_STORE')
  t.is(error.message, `The directory is in use by another store (process ${process.pid}): ${directory}`)
  await one.close()
  await other.batch([['b', Buffer.from('2')]])
  t.is(other.stats.records, 2)
})

test('another process; and when it is killed the lock is gone', async (t) => {
  const directory = await folder(t)
  const { child, line } = await opened(t, directory)
  t.is(line, 'opened')
  const store = new DurableStore(directory)
  t.teardown(() => store.close())
  const error = (await rejection(patience, 'batch()', store.batch([['a', null]]))) as Error
  t.true(error.message.includes(`(process ${child.pid})`), error.message)
  t.is((await opened(t, directory)).line, error.message)
  child.kill('SIGKILL')
  await within(patience, 'its end', once(child, 'exit'))
  await store.batch([['a', null]])
  t.is(store.stats.records, 1)
})

test('a thread of this process; and when it is terminated the lock is gone', async (t) => {
  const directory = await folder(t)
  const text = `(async () => { ${holder(directory).replace("console.log('opened')", "require('node:worker_threads').parentPort.postMessage('opened')")} })()`
  const worker = new Worker(text, { eval: true })
  t.deepEqual(await within(patience, 'the thread', once(worker, 'message')), ['opened'])
  const store = new DurableStore(directory)
  t.teardown(() => store.close())
  await rejection(patience, 'batch()', store.batch([['a', null]]))
  await worker.terminate()
  await store.batch([['a', null]])
  t.is(store.stats.records, 1)
})

test('a child that inherits what the store has open does not keep it', async (t) => {
  const directory = await folder(t)
  const { child } = await opened(t, directory)
  const sleeper = spawn('sleep', ['30'], { stdio: 'inherit' })
  t.teardown(() => sleeper.kill('SIGKILL'))
  child.kill('SIGKILL')
  await within(patience, 'its end', once(child, 'exit'))
  const store = new DurableStore(directory)
  await store.batch([['a', null]])
  const grandchild = spawn('sleep', ['30'], { stdio: 'inherit' })
  t.teardown(() => grandchild.kill('SIGKILL'))
  await store.close()
  t.is((await opened(t, directory)).line, 'opened')
})

function may(...command: string[]): boolean {
  try {
    execFileSync(command[0] as string, command.slice(1), { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

const isolated = ['unshare', '--kill-child', '-n', '-p', '-u', '-f']
if (may(...isolated, 'true')) {
  test('another container with the same volume: networks, processes and host names of their own', async (t) => {
    const directory = await folder(t)
    const { line } = await opened(t, directory, isolated)
    t.is(line, 'opened')
    const other = await opened(t, directory, isolated)
    t.regex(other.line, /^The directory is in use by another store \(process \d+\)/)
    const store = new DurableStore(directory)
    await rejection(patience, 'batch()', store.batch([['a', null]]))
    await store.close()
  })
}

test('who holds it is told with its host, where that is another one', async (t) => {
  const directory = await folder(t)
  const { line } = await opened(t, directory)
  t.is(line, 'opened')
  t.is(readFileSync(join(directory, 'lock'), 'utf8').split(' ')[1], `${hostname()}\n`)
  writeFileSync(join(directory, 'lock'), '42 elsewhere\n')
  t.regex((await opened(t, directory)).line, /\(process 42 on elsewhere\)/)
  writeFileSync(join(directory, 'lock'), 'nonsense')
  t.regex((await opened(t, directory)).line, /^The directory is in use by another store: /)
})

const put = [['b', Buffer.from('2')]] as const

test('a directory that is removed, or replaced, or whose files are: nothing is stored any more', async (t) => {
  const changes: Array<[string, (directory: string) => void]> = [
    ['removed', (directory) => rmSync(directory, { recursive: true })],
    ['moved away', (directory) => renameSync(directory, `${directory}.away`)],
    [
      'replaced',
      (directory) => {
        renameSync(directory, `${directory}.away`)
        mkdirSync(directory)
      },
    ],
    ['without its records', (directory) => unlinkSync(join(directory, 'records'))],
    ['without its lock', (directory) => unlinkSync(join(directory, 'lock'))],
    [
      'emptied, and used by another store',
      (directory) => {
        for (const name of readdirSync(directory)) unlinkSync(join(directory, name))
        writeFileSync(join(directory, 'records'), '')
        writeFileSync(join(directory, 'lock'), '')
      },
    ],
  ]
  for (const sync of [false, true]) {
    for (const [name, change] of changes) {
      const directory = join(await folder(t), 'store')
      const store = new DurableStore(directory, { sync })
      await store.batch([['a', Buffer.from('1')]])
      change(directory)
      const error = (await rejection(patience, name, store.batch(put))) as MqttError
      t.true(
        error.code === 'ERR_MQTT_STORE' || (error as { code: string }).code === 'ENOENT',
        `${name}: ${error}`,
      )
      await rejection(patience, name, store.batch([['a', null]]))
      await store.close()
      // Closed and opened again, it is the store of what is there now.
      await store.batch(put)
      t.true(existsSync(directory))
      await store.close()
    }
  }
})
