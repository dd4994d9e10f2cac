import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import type * as Aiomqtt from 'aiomqtt'
import { within } from './deadline.js'

/** How long a program may take to say what a test waits for, and to end. */
const patience = 20_000

const root = fileURLToPath(new URL('../../../', import.meta.url))
const aiomqtt = import.meta.resolve('aiomqtt')

/**
 * A program of a test, run outside of it. Only its text travels: it must not use anything but its arguments and
 * globals. `parameters` is what `JSON` can carry.
 */
export type Program<Parameters> = (library: typeof Aiomqtt, parameters: Parameters) => unknown

/** How a program ended. */
export interface Outcome {
  /** The exit code; null after a signal. */
  code: number | null
  /** The signal that ended a process. */
  signal: NodeJS.Signals | null
  /** The uncaught exception that ended a worker. */
  error: Error | undefined
  output: string
  errors: string
  milliseconds: number
}

/** A program that was started. */
export interface Running {
  /** Resolves when the program has printed this line. */
  said(line: string): Promise<void>
  /** Settles when the program has ended. */
  readonly outcome: Promise<Outcome>
}

/** A program that runs in a process of its own. */
export interface RunningProcess extends Running {
  /** Stops it, lets it go on, or ends it. */
  signal(name: NodeJS.Signals): void
}

/** A program that runs in a thread of this process. */
export interface RunningThread extends Running {
  /** Ends the thread whatever it is doing. */
  terminate(): Promise<void>
}

/**
 * Runs a program in a process of its own; `flags` are Node's, `environment` is added to this process's, `descriptors` is
 * how many it may have open.
 */
export function inProcess<Parameters>(
  program: Program<Parameters>,
  parameters: Parameters,
  {
    flags = [],
    environment = {},
    patience: limit = patience,
    descriptors,
  }: {
    flags?: string[]
    environment?: Record<string, string>
    patience?: number
    descriptors?: number
  } = {},
): RunningProcess {
  const text = `
    const library = await import(${JSON.stringify(aiomqtt)})
    await (${program})(library, ${JSON.stringify(parameters)})`
  const node = [process.execPath, ...flags, '--input-type=module', '--eval', text]
  const limited = ['sh', '-c', `ulimit -n ${descriptors}; exec "$@"`, 'sh', ...node]
  const [command, ...args] = descriptors === undefined ? node : limited
  const child = spawn(command as string, args, {
    cwd: root,
    env: { ...process.env, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = new Output(child.stdout)
  const errors = new Output(child.stderr)
  const started = performance.now()
  const ended = once(child, 'close').then(([code, signal]) => ({
    code: code as number | null,
    signal: signal as NodeJS.Signals | null,
    error: undefined,
    output: output.text,
    errors: errors.text,
    milliseconds: performance.now() - started,
  }))
  const outcome = within(limit, 'the program', ended).catch((error: unknown) => {
    child.kill('SIGKILL')
    throw new Error(`${error}\n${output.text}\n${errors.text}`)
  })
  return { ...running(output, errors, outcome), signal: (name) => child.kill(name) }
}

/** Runs a program in a thread of this process. */
export function inThread<Parameters>(program: Program<Parameters>, parameters: Parameters): RunningThread {
  const text = `
    import(${JSON.stringify(aiomqtt)})
      .then((library) => (${program})(library, ${JSON.stringify(parameters)}))
      .catch((error) => setImmediate(() => { throw error }))`
  const worker = new Worker(text, { eval: true, stdout: true, stderr: true })
  const output = new Output(worker.stdout)
  const errors = new Output(worker.stderr)
  const started = performance.now()
  let error: Error | undefined
  worker.on('error', (reason: Error) => {
    error = reason
  })
  const ended = new Promise<Outcome>((resolve) => {
    worker.on('exit', (code) => {
      const milliseconds = performance.now() - started
      resolve({ code, signal: null, error, output: output.text, errors: errors.text, milliseconds })
    })
  })
  const outcome = within(patience, 'the thread', ended).catch(async (reason: unknown) => {
    await worker.terminate()
    throw new Error(`${reason}\n${output.text}\n${errors.text}`)
  })
  return {
    ...running(output, errors, outcome),
    terminate: async () => {
      await within(patience, 'ending the thread', worker.terminate())
    },
  }
}

function running(output: Output, errors: Output, outcome: Promise<Outcome>): Running {
  outcome.catch(() => {})
  return {
    outcome,
    async said(line) {
      const early = outcome.then((end) => {
        if (output.lines.includes(line)) return
        throw new Error(
          `the program ended (${end.code ?? end.signal}) before it said ${line}:\n${errors.text}`,
        )
      })
      await Promise.race([output.said(line), early])
    },
  }
}

/** What a program prints, as it comes. */
class Output {
  text = ''
  #wake: Array<() => void> = []

  constructor(stream: Readable) {
    stream.setEncoding('utf8')
    stream.on('data', (chunk: string) => {
      this.text += chunk
      for (const wake of this.#wake.splice(0)) wake()
    })
  }

  get lines(): string[] {
    return this.text.split('\n')
  }

  async said(line: string): Promise<void> {
    while (!this.lines.includes(line)) {
      await new Promise<void>((resolve) => {
        this.#wake.push(resolve)
      })
    }
  }
}
