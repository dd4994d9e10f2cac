import { nextTick, now, queueMicrotask, setImmediate } from '../support/clock.js'

/** Milliseconds that the work of one turn of the event loop may take, the program's own for what it awaits included. */
const TURN_MILLISECONDS = 4

/** The clock is looked at once for as many units of work while they are cheap: looking costs as much as some of them. */
const LONGEST_STRIDE = 8
/** Milliseconds between two looks from which on it is looked at for each unit. */
const LONG = 1

/** Something that goes on in steps, each of which may settle promises that the program waits for. */
export interface TurnTask {
  /** One step. */
  endTurn(): void
}

/**
 * Shares out the time of a turn of the event loop. Whoever settles promises by the thousand would have the program's
 * continuations run one after the other, in microtasks, before any timer or socket has its turn. So they settle a few,
 * wait here until the continuations of those have run, and go on: in this turn as long as its time lasts, then in the
 * next one. Every task has its step before any has another.
 */
export class Turns {
  private tasks: TurnTask[] = []
  private isScheduled = false
  private immediate: NodeJS.Immediate | null = null

  /** When this turn's time is over. */
  private until = 0
  private isSpent = true
  /** Whether immediates come next, and not timers. */
  private isBeforeImmediates = false
  private looked = 0
  private stride = 1
  /** Units of work until the next look at the clock. */
  private countdown = 1

  /** @param keepsAlive whether the event loop must not end while tasks wait */
  constructor(private readonly keepsAlive: () => boolean) {}

  /** Whether tasks wait for the next turn: what comes now has to wait with them. */
  get isWaiting(): boolean {
    return this.immediate !== null
  }

  /** A turn of the event loop has begun, with a callback of the native side or of a timer. */
  begin(): void {
    this.beginPhase(true)
  }

  private beginPhase(isBeforeImmediates: boolean): void {
    this.isBeforeImmediates = isBeforeImmediates
    this.looked = now()
    this.until = this.looked + TURN_MILLISECONDS
    this.isSpent = false
  }

  /** Whether the time of this turn is over: asked before each unit of work, such as a message. */
  isOver(): boolean {
    if (this.isSpent) return true
    return --this.countdown <= 0 && this.look()
  }

  /** What follows may cost more than what was done so far: the clock is looked at for its first unit. */
  spend(): void {
    this.countdown = 0
    this.stride = 1
  }

  /** Has a task go on when the continuations of all promises that are settled have run. */
  add(task: TurnTask): void {
    this.tasks.push(task)
    if (this.isScheduled) return
    this.isScheduled = true
    if (this.isSpent) this.waitForTurn()
    else queueMicrotask(this.afterMicrotasks)
  }

  /** The event loop must not end before the tasks have had their turn. */
  ref(): void {
    this.immediate?.ref()
  }

  private look(): boolean {
    const time = now()
    this.stride = time - this.looked < LONG ? Math.min(this.stride * 2, LONGEST_STRIDE) : 1
    this.looked = time
    this.countdown = this.stride
    this.isSpent = time >= this.until
    return this.isSpent
  }

  // A tick callback that is asked for in a microtask runs after all microtasks, those included that they ask for.
  private readonly afterMicrotasks = (): void => nextTick(this.step)

  private readonly step = (): void => {
    if (this.look()) this.waitForTurn()
    else this.run()
  }

  private waitForTurn(): void {
    this.immediate = setImmediate(this.inNextTurn)
    if (!this.keepsAlive()) this.immediate.unref()
  }

  private readonly inNextTurn = (): void => {
    this.immediate = null
    if (this.isBeforeImmediates) {
      // The time of this turn was used up before its immediates: timers are due.
      this.isBeforeImmediates = false
      this.waitForTurn()
      return
    }
    this.beginPhase(false)
    this.run()
  }

  private run(): void {
    const task = this.tasks.shift()
    try {
      task?.endTurn()
    } finally {
      // What a user's queue throws must not stop the others.
      this.isScheduled = this.tasks.length > 0
      if (this.isScheduled) queueMicrotask(this.afterMicrotasks)
    }
  }
}
