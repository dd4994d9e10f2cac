// Keeps the processes of the service running, as systemd or Kubernetes (a StatefulSet, for the names) would.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'

const program = fileURLToPath(new URL('../process.mjs', import.meta.url))

/** Milliseconds before a process that ended is started again. */
const pause = 500
/** Milliseconds that a process may take to finish its batch. */
const patience = 15_000

/** One process, started again under its name whenever it ends before stop(). */
export class Supervised {
  restarts = 0
  /** Resolves when all its threads have subscribed for the first time. */
  ready
  #child
  #isOver = false
  #running
  /** The exit code after stop(). */
  #code = 0

  /**
   * @param {string} name
   * @param {number} workers threads
   * @param {string[]} args further arguments
   * @param {NodeJS.ProcessEnv} env
   * @param {(commit: { messages: number, rows: number, lag: number }) => void} onCommit
   * @param {(event: string) => void} onEvent
   */
  constructor(name, workers, args, env, onCommit, onEvent) {
    this.name = name
    const known = new Set()
    let onReady
    this.ready = new Promise((resolve) => {
      onReady = resolve
    })
    const onReport = ({ ready, commit }) => {
      if (commit !== undefined) return onCommit(commit)
      known.add(ready)
      if (known.size === workers) onReady()
    }
    this.#running = this.#run(
      ['--identifier', name, '--workers', String(workers), ...args],
      env,
      onReport,
      onEvent,
    )
  }

  get pid() {
    return this.#child?.pid
  }

  kill() {
    this.#child.kill('SIGKILL')
  }

  /** Asks it to finish, and resolves to its exit code. */
  async stop() {
    this.#isOver = true
    const child = this.#child
    child.kill('SIGTERM')
    const timer = setTimeout(() => child.kill('SIGKILL'), patience)
    await this.#running
    clearTimeout(timer)
    return this.#code
  }

  async #run(args, env, onReport, onEvent) {
    while (!this.#isOver) {
      const child = fork(program, args, { env, stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
      this.#child = child
      child.on('message', onReport)
      createInterface({ input: child.stderr }).on('line', onEvent)
      const [code, signal] = await once(child, 'exit')
      this.#code = code ?? 1
      if (this.#isOver) return
      onEvent(`${this.name} ended (${signal ?? code}); it is started again`)
      this.restarts++
      await sleep(pause)
    }
  }
}
