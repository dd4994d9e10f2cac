// When a measurement starts and ends: after a warm-up and a time, or in a check after a number of messages.

import { performance } from 'node:perf_hooks'

export class Stopwatch {
  /** Messages so far. */
  count = 0
  /** Whether the measurement is over. */
  isOver = false

  #warmUp
  #seconds
  #messages
  #next
  #lot
  #mark
  #start = null
  #end = null

  /**
   * @param {{ warmUp: number, seconds: number } | { messages: number }} size times in seconds
   * @param {{ lot?: number }} [options] lot: the clock is read every `lot` messages
   */
  constructor({ warmUp, seconds, messages }, { lot = 256 } = {}) {
    this.#warmUp = warmUp
    this.#seconds = seconds
    this.#messages = messages
    this.#lot = messages === undefined ? lot : messages
    this.#next = this.#lot
    this.#mark = this.#read()
  }

  /**
   * Counts a message.
   *
   * @returns {boolean} true when it was the last one
   */
  tick() {
    this.count += 1
    if (this.count < this.#next || this.isOver) return false
    return this.#look()
  }

  /** The number of messages before the measurement began. */
  get firstCount() {
    return this.#start.count
  }

  /** The number of messages when it was over. */
  get lastCount() {
    return this.#end.count
  }

  /** What was measured: messages a second, and processor time of the whole process. */
  figures() {
    const messages = this.#end.count - this.#start.count
    const seconds = (this.#end.time - this.#start.time) / 1e3
    const processorMicroseconds = this.#end.processor - this.#start.processor
    return {
      messagesPerSecond: messages / seconds,
      processorMicroseconds: processorMicroseconds / messages,
      cores: processorMicroseconds / 1e6 / seconds,
    }
  }

  #look() {
    this.#next = this.count + this.#lot
    if (this.#messages !== undefined) return this.#finish(this.#mark)
    const now = performance.now()
    if (this.#start === null) {
      if (now - this.#mark.time >= this.#warmUp * 1e3) this.#start = this.#read()
      return false
    }
    return now - this.#start.time >= this.#seconds * 1e3 && this.#finish(this.#start)
  }

  #finish(start) {
    this.#start = start
    this.#end = this.#read()
    this.isOver = true
    return true
  }

  #read() {
    const { user, system } = process.cpuUsage()
    return { time: performance.now(), processor: user + system, count: this.count }
  }
}
