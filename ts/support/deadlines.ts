/**
 * Deadlines of pending operations. Every operation has one, nearly all are met, and most of a client's have the
 * same duration, so there is one list and one timer for each duration, not one timer for each operation: in a
 * list the deadlines are in order as they come, and meeting one is unlinking a node. The timers do not keep the
 * event loop alive; what is pending does (runtime.ts).
 */

import { now, setTimeout } from './clock.js'

/** The longest time that a timer of Node's can wait, in milliseconds. */
export const LONGEST_TIMER = 2 ** 31 - 1

/** Something that must be done by a deadline, and the links of the list that it is in. */
export abstract class Timed {
  /** @internal */
  list: DeadlineList | null = null
  /** @internal */
  earlier: Timed | null = null
  /** @internal */
  later: Timed | null = null
  /** In milliseconds of `performance.now()`. @internal */
  deadline = 0

  /** The deadline has passed; the entry is off its list. */
  abstract expire(): void
}

/** The deadlines of one duration, the earliest first. */
class DeadlineList {
  private first: Timed | null = null
  private last: Timed | null = null
  private armed = false

  constructor(
    private readonly milliseconds: number,
    private readonly deadlines: Deadlines,
  ) {}

  append(entry: Timed, now: number): void {
    entry.deadline = now + this.milliseconds
    entry.list = this
    entry.earlier = this.last
    if (this.last === null) this.first = entry
    else this.last.later = entry
    this.last = entry
    if (!this.armed) this.arm(this.milliseconds)
  }

  remove(entry: Timed): void {
    if (entry.earlier === null) this.first = entry.later
    else entry.earlier.later = entry.later
    if (entry.later === null) this.last = entry.earlier
    else entry.later.earlier = entry.earlier
    entry.list = entry.earlier = entry.later = null
  }

  private arm(milliseconds: number): void {
    this.armed = true
    setTimeout(() => this.sweep(), Math.min(milliseconds, LONGEST_TIMER)).unref()
  }

  private sweep(): void {
    this.armed = false
    if (this.first !== null && this.first.deadline <= now()) this.deadlines.beforeExpiry()
    const time = now()
    while (this.first !== null && this.first.deadline <= time) {
      const entry = this.first
      this.remove(entry)
      entry.expire()
    }
    if (this.first === null) this.deadlines.forget(this.milliseconds, this)
    else if (!this.armed) this.arm(Math.ceil(this.first.deadline - time))
  }
}

/** The deadlines of one environment. */
export class Deadlines {
  private readonly lists = new Map<number, DeadlineList>()
  /** The time, looked up once a tick; below 0 when it has to be. */
  private now = -1

  /**
   * @param beforeExpiry runs before anything expires, to take in answers that have come but wait behind the
   *   timer because the event loop was busy
   */
  constructor(readonly beforeExpiry: () => void) {}

  /** @param seconds above 0; `Infinity` never comes */
  add(entry: Timed, seconds: number): void {
    if (seconds === Infinity) return
    const milliseconds = Math.ceil(seconds * 1000)
    let list = this.lists.get(milliseconds)
    if (list === undefined) {
      list = new DeadlineList(milliseconds, this)
      this.lists.set(milliseconds, list)
    }
    list.append(entry, this.time)
  }

  /** The time in milliseconds, not exact: it stands still until the tick is over. */
  get time(): number {
    if (this.now < 0) this.now = now()
    return this.now
  }

  /** Takes the entry off its list, if it is on one. */
  remove(entry: Timed): void {
    entry.list?.remove(entry)
  }

  /** The tick is over: the time has to be looked up again. */
  endTick(): void {
    this.now = -1
  }

  /** A list's timer found it empty. @internal */
  forget(milliseconds: number, list: DeadlineList): void {
    if (this.lists.get(milliseconds) === list) this.lists.delete(milliseconds)
  }
}
