// The processes of a measurement: each is started here, spoken to by messages, and ended here.

import { fork } from 'node:child_process'
import { once } from 'node:events'
import { at, Failure } from '../../scripts/steps.mjs'

/** A child process that sends messages with a `type`. */
export class Child {
  #process
  #messages = []
  #listeners = new Map()
  #wake = () => {}
  #ended = null
  #errors = ''

  /** @param {string} module a path from the root of the repository */
  constructor(module, { flags = [] } = {}) {
    this.#process = fork(at(module), [], { execArgv: flags, stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#errors += text
    })
    this.#process.on('message', (message) => {
      const listener = this.#listeners.get(message.type)
      if (listener !== undefined) listener(message)
      else this.#messages.push(message)
      this.#wake()
    })
    this.#process.on('close', (code, signal) => {
      this.#ended = signal ?? `code ${code}`
      this.#wake()
    })
  }

  send(message) {
    this.#process.send(message)
  }

  /** Takes all messages of this type, as they come. */
  on(type, listener) {
    this.#listeners.set(type, listener)
  }

  /**
   * The next message of this type; those before it are passed over.
   *
   * @param {number} patience seconds
   * @throws {Failure} the child said that it failed, ended, or did not say anything in time
   */
  async receive(type, patience) {
    const deadline = Date.now() + patience * 1e3
    for (;;) {
      const message = this.#messages.shift()
      if (message?.type === type) return message
      if (message?.type === 'failure') throw new Failure(message.message)
      if (message !== undefined) continue
      if (this.#ended !== null)
        throw new Failure(`ended with ${this.#ended} before its ${type}. ${this.#errors}`)
      if (Date.now() >= deadline) throw new Failure(`no ${type} within ${patience} s. ${this.#errors}`)
      await this.#something(deadline)
    }
  }

  /**
   * Waits until the process has ended by itself.
   *
   * @throws {Failure} it did not, or not well
   */
  async end(patience) {
    const deadline = Date.now() + patience * 1e3
    while (this.#ended === null) {
      if (Date.now() >= deadline) throw new Failure(`still running ${patience} s after its result`)
      await this.#something(deadline)
    }
    if (this.#ended !== 'code 0') throw new Failure(`ended with ${this.#ended}. ${this.#errors}`)
  }

  /** Ends the process whatever it does. */
  async stop() {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null) return
    this.#process.kill('SIGKILL')
    await once(this.#process, 'exit')
  }

  async #something(deadline) {
    let timer
    await new Promise((resolve) => {
      this.#wake = resolve
      timer = setTimeout(resolve, Math.max(0, deadline - Date.now()))
    })
    clearTimeout(timer)
  }
}
