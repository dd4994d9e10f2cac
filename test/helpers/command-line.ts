import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { dirname, join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { ExecutionContext } from 'ava'
import { within } from './deadline.js'
import { programOf } from './servers.js'

/** How long a command may take. */
const patience = 20_000

const main = fileURLToPath(new URL('../../../dist/cli/main.js', import.meta.url))

/** How a command ended. */
export interface Ended {
  /** The exit code; null after a signal that nobody handled. */
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly output: Buffer
  readonly errors: string
}

/** A command that was started. */
export interface Started {
  readonly process: ChildProcess
  readonly input: Writable
  /** Resolves when it has printed something that matches, on either stream. */
  said(pattern: RegExp): Promise<void>
  readonly ended: Promise<Ended>
}

/** Starts `aiomqtt`; the end of the test ends it, too. */
export function startCommand(t: ExecutionContext, args: Array<string | number>, env = {}): Started {
  return start(t, process.execPath, [main, ...args], env)
}

/** Starts one of Mosquitto's own tools. */
export function startMosquitto(
  t: ExecutionContext,
  tool: 'pub' | 'sub',
  args: Array<string | number>,
): Started {
  const sub = programOf('mosquitto-clients')
  return start(t, tool === 'sub' ? sub : join(dirname(sub), 'mosquitto_pub'), args, {})
}

/** Runs `aiomqtt` to its end. */
export async function runCommand(
  t: ExecutionContext,
  args: Array<string | number>,
  { input = '', env = {} }: { input?: string | Uint8Array; env?: Record<string, string> } = {},
): Promise<Ended> {
  const { input: stdin, ended } = startCommand(t, args, env)
  stdin.end(input)
  return await ended
}

function start(
  t: ExecutionContext,
  program: string,
  args: Array<string | number>,
  env: Record<string, string>,
): Started {
  const child = spawn(program, args.map(String), { env: { ...process.env, ...env } })
  t.teardown(() => {
    child.kill('SIGKILL')
  })
  child.stdin.on('error', () => {})
  const chunks: Buffer[] = []
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  let seen = ''
  const watchers = new Set<() => void>()
  for (const stream of [child.stdout, child.stderr] as Readable[]) {
    stream.on('data', (chunk: Buffer) => {
      seen += chunk
      for (const watcher of watchers) watcher()
    })
  }
  const errors = text(child.stderr)
  const ended = within(patience, `${program} ${args.join(' ')}`, once(child, 'close')).then(
    async ([code, signal]) => ({ code, signal, output: Buffer.concat(chunks), errors: await errors }),
  )
  ended.catch(() => {})
  const said = async (pattern: RegExp) => {
    const found = new Promise<void>((resolve) => {
      const watcher = () => {
        if (pattern.test(seen)) resolve()
      }
      watchers.add(watcher)
      watcher()
    })
    const early = ended.then(({ code }) => {
      if (!pattern.test(seen))
        throw new Error(`${args.join(' ')} ended (${code}) before ${pattern}:\n${seen}`)
    })
    await within(patience, `${args.join(' ')}: ${pattern}`, Promise.race([found, early]))
  }
  return { process: child, input: child.stdin, said, ended }
}

/** Does something for each item, four at a time: more processes than that only keep each other waiting. */
export async function forEachFew<T>(items: readonly T[], action: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items]
  const worker = async () => {
    for (let item = rest.shift(); item !== undefined; item = rest.shift()) await action(item)
  }
  await Promise.all([worker(), worker(), worker(), worker()])
}
