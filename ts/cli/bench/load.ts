import { setTimeout as sleep } from 'node:timers/promises'
import type { Client } from '../../client/client.js'
import { Latencies } from './latency.js'

/** What a load consists of. */
export interface Plan {
  readonly publishers: readonly Client[]
  readonly subscribers: readonly Client[]
  /** What publisher n publishes to is number n, modulo their count. */
  readonly topics: readonly string[]
  readonly size: number
  readonly qos: 0 | 1 | 2
  /** Messages a second over all publishers; 0 for as many as go. */
  readonly rate: number
  /** Seconds after which nothing more is published. */
  readonly duration: number
  /** Messages after which nothing more is published. */
  readonly count: number
  /** How many subscribers get each message. */
  readonly copies: number
}

/** Milliseconds between two bursts at a given rate: finer than that no timer is exact. */
const PERIOD = 5

/** Messages that each publisher may have on their way when there is no rate. */
const WINDOW = 100

/** Messages that all may have on their way at a given rate; the schedule waits then, and the latencies have it. */
const MOST_PENDING = 100_000

/** The end has come when for so many milliseconds nothing has come any more. */
const SILENCE = 2000

/** Bytes of a payload for the time at which it was due. */
export const STAMP = 8

/**
 * Publishes and receives. A payload begins with the time at which its message was due, by the clock of this process.
 *
 * At a given rate that is the time of the schedule, whether or not it was kept: when the client or the broker stalls,
 * the messages that should have left meanwhile are late by that much, and their latencies say so (no coordinated
 * omission). Without a rate each message is due when there is room for it.
 */
export class Load {
  readonly latencies = new Latencies()
  sent = 0
  received = 0
  failed = 0
  /** The first failure. */
  failure: unknown = null
  /** Seconds from the first message to the last that was sent, and that was received. */
  readonly seconds = { out: 0, in: 0 }
  readonly #plan: Plan
  readonly #payload: Buffer
  readonly #signal: AbortSignal
  #pending = 0
  #start = 0

  constructor(plan: Plan, signal: AbortSignal) {
    this.#plan = plan
    this.#payload = Buffer.alloc(plan.size)
    this.#signal = signal
  }

  /** Messages that should have come and did not. */
  get lost(): number {
    return Math.max(0, (this.sent - this.failed) * this.#plan.copies - this.received)
  }

  /** The seconds that it has been running. */
  get elapsed(): number {
    return this.#start === 0 ? 0 : (performance.now() - this.#start) / 1000
  }

  /** Runs the load; the signal ends it early. */
  async run(): Promise<void> {
    const receiving = new AbortController()
    const receivers = this.#plan.subscribers.map((client) => this.#receive(client, receiving.signal))
    this.#start = performance.now()
    await (this.#plan.rate > 0 ? this.#paced() : this.#unpaced())
    await this.#settle()
    receiving.abort()
    await Promise.all(receivers)
  }

  /** In bursts, at times that are settled from the beginning. */
  async #paced(): Promise<void> {
    const { rate, publishers } = this.#plan
    const period = Math.max(PERIOD, 1000 / rate)
    for (let burst = 0; !this.#isOver((burst * period) / 1000); burst++) {
      const due = this.#start + burst * period
      await until(due)
      while (this.#pending > MOST_PENDING && !this.#signal.aborted) await sleep(1)
      const target = Math.min(Math.floor(((burst + 1) * period * rate) / 1000), this.#plan.count)
      while (this.sent < target) this.#publish(this.sent % publishers.length, due)
    }
  }

  /** Each publisher as fast as its window allows. */
  async #unpaced(): Promise<void> {
    const one = async (index: number) => {
      while (!this.#isOver(this.elapsed)) {
        const round: Promise<void>[] = []
        while (round.length < WINDOW && this.sent < this.#plan.count) {
          round.push(this.#publish(index, performance.now()))
        }
        await Promise.all(round)
        await sleep(0)
      }
    }
    await Promise.all(this.#plan.publishers.map((_client, index) => one(index)))
  }

  #isOver(seconds: number): boolean {
    return this.#signal.aborted || seconds >= this.#plan.duration || this.sent >= this.#plan.count
  }

  async #publish(index: number, due: number): Promise<void> {
    const { publishers, topics, qos } = this.#plan
    // The client has copied it when publish() returns.
    const payload = this.#payload
    payload.writeDoubleLE(due)
    this.sent += 1
    this.#pending += 1
    try {
      await (publishers[index] as Client).publish(topics[index % topics.length] as string, payload, {
        qos,
        timeout: Number.POSITIVE_INFINITY,
      })
    } catch (error) {
      this.failed += 1
      this.failure ??= error
    } finally {
      this.#pending -= 1
      this.seconds.out = this.elapsed
    }
  }

  async #receive(client: Client, signal: AbortSignal): Promise<void> {
    const batches = client.messages.batches()
    try {
      for (;;) {
        const { value: batch = [] } = await batches.next({ signal })
        const now = performance.now()
        for (const { payload } of batch) this.latencies.record(now - payload.readDoubleLE())
        this.received += batch.length
        this.seconds.in = this.elapsed
      }
    } catch (error) {
      if (!signal.aborted) this.failure ??= error
    }
  }

  /** Waits for what is still on its way. */
  async #settle(): Promise<void> {
    let before = -1
    let silent = 0
    while ((this.lost > 0 || this.#pending > 0) && silent < SILENCE && !this.#signal.aborted) {
      const progress = this.received - this.#pending
      silent = progress === before ? silent + 20 : 0
      before = progress
      await sleep(20)
    }
  }
}

/** A timer is late by up to a millisecond or two, so the rest is spent turning the event loop. */
async function until(time: number): Promise<void> {
  const rest = time - performance.now()
  if (rest > 2) await sleep(rest - 2)
  while (performance.now() < time) await new Promise(setImmediate)
}
