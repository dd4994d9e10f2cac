import { byteLength } from '../support/bytes.js'
import { type Callable, CallSite } from '../support/call-site.js'
import { nextTick } from '../support/clock.js'
import { Deadlines } from '../support/deadlines.js'
import type { Binding } from './binding.js'
import { CommandBatch, FULL_BATCH } from './command-batch.js'
import { EventReader } from './event-reader.js'
import { hasLibuv, loadAddon } from './load-addon.js'
import { Turns, type TurnTask } from './turns.js'

/** After as many records the program has its turn with what they brought. */
const STEP_RECORDS = 1024
/** After as many settled promises what waits for them runs before the next ones, so that its time can be measured. */
const STEP_SETTLED = 8

/** Taking down where a call came from costs microseconds (see call-site.ts); so many take half a percent of a core. */
const CALL_SITES_A_SECOND = 1000

/**
 * The half of the client that there is once for each environment (main thread or worker): it moves what crosses
 * the native boundary, for all clients together, and keeps the event loop alive while promises are pending.
 */
export class Runtime implements TurnTask {
  /** What arrives, for each connection. */
  readonly events: EventReader
  /** What leaves at the end of this tick. After writing to it call `changed()`. */
  readonly commands = new CommandBatch()
  readonly deadlines = new Deadlines(() => this.takeIn())
  /** The time of a turn of the event loop, of which all that comes has its share. */
  readonly turns = new Turns(() => this.pending > 0)

  /** Whether delivering goes on when `turns` says so. */
  private goesOn = false
  /** Promises that were settled. */
  private settled = 0

  private tickEnds = false
  private pending = 0
  /** Bytes of the payloads that were staged for the commands at hand. */
  private staged = 0
  private callSitesLeft = 0
  private callSitesUntil = 0

  constructor(readonly binding: Binding) {
    this.events = new EventReader(binding)
    binding.attach(() => this.drain(), hasLibuv())
  }

  /** A promise was given out: the event loop stays alive until `release()`. */
  hold(): void {
    if (this.pending++ > 0) return
    this.binding.hold()
    this.turns.ref()
  }

  /** A promise was settled. */
  release(): void {
    this.settled++
    if (--this.pending === 0) this.binding.release()
  }

  /** Copies the payload of the PUBLISH command that was just added (`PUBLISH_STAGED`). */
  stage(payload: Uint8Array): void {
    this.binding.stage(payload)
    this.staged += byteLength(payload)
  }

  /** Copies a large payload that is to be sent several times, for `stageKept()`. */
  keep(payload: Uint8Array): Buffer {
    return this.binding.keep(payload)
  }

  /** As `stage()`, for what `keep()` gave. */
  stageKept(kept: Uint8Array): void {
    this.binding.stageKept(kept)
    this.staged += kept.length
  }

  /** Commands or deadlines were added. */
  changed(): void {
    if (this.commands.length + this.staged >= FULL_BATCH) this.submit()
    this.noteTick()
  }

  /** Sees to it that the tick's end is noticed. Submits nothing: a command may still be taken back. */
  private noteTick(): void {
    if (this.tickEnds) return
    this.tickEnds = true
    // Not a microtask: a tick callback runs after all microtasks, of which many may have something to send.
    nextTick(endTick, this)
  }

  /**
   * Where a call came from, for the stack of its error; null when there were too many calls to take them all down.
   * @param entry the public method that is running
   */
  callSite(entry: Callable): CallSite | null {
    const now = this.deadlines.time
    if (now >= this.callSitesUntil) {
      this.callSitesUntil = now + 1000
      this.callSitesLeft = CALL_SITES_A_SECOND
    }
    this.noteTick()
    return this.callSitesLeft-- > 0 ? new CallSite(entry) : null
  }

  /** @internal */
  endTick(): void {
    this.tickEnds = false
    this.submit()
  }

  private submit(): void {
    this.deadlines.endTick()
    const { commands } = this
    if (commands.length === 0) return
    const mustDrain = this.binding.submit(commands.bytes, commands.length)
    commands.clear()
    this.staged = 0
    if (mustDrain) this.goOnLater()
  }

  /** The native side has something, in a turn of the event loop of its own. */
  private drain(): void {
    if (this.turns.isWaiting) {
      this.goOnLater()
    } else if (!this.goesOn) {
      this.turns.begin()
      this.endTurn()
    }
  }

  /** Takes in the answers that have come, however many there are: their calls' time is over. */
  private takeIn(): void {
    this.turns.begin()
    this.step(Number.POSITIVE_INFINITY)
    this.goOnLater()
  }

  /** @internal */
  endTurn(): void {
    this.goesOn = false
    const goesOn = this.step(this.settled + STEP_SETTLED)
    this.turns.spend()
    if (goesOn) this.goOnLater()
    else this.binding.lead()
  }

  private goOnLater(): void {
    if (this.goesOn) return
    this.goesOn = true
    this.turns.add(this)
  }

  /**
   * Delivers what there is, for as long as the turn's time lasts.
   * @param mostSettled what `settled` may become
   * @returns whether there may be more
   */
  private step(mostSettled: number): boolean {
    const { events } = this
    let left = STEP_RECORDS
    while (left > 0 && this.settled < mostSettled && (left === STEP_RECORDS || !this.turns.isOver())) {
      if (!events.hasNext) {
        const count = events.readBlock()
        if (count === 0) return false
        left -= count
      }
      if (!this.deliver(mostSettled)) return true
      events.endBlock()
    }
    return true
  }

  /**
   * Delivers the block that was read. What a user's logger or queue throws must not cost the others their events.
   * @returns whether all records of it were delivered
   */
  private deliver(mostSettled: number): boolean {
    const { events } = this
    while (events.hasNext) {
      try {
        while (events.hasNext) {
          events.deliverNext()
          if (events.hasNext && (this.settled >= mostSettled || this.turns.isOver())) return false
        }
      } catch (error) {
        nextTick(rethrow, error)
      }
    }
    return true
  }
}

function endTick(runtime: Runtime): void {
  runtime.endTick()
}

function rethrow(error: unknown): never {
  throw error
}

let shared: Runtime | undefined

/**
 * This environment's runtime; the addon is loaded when it is first needed.
 * @throws {Error} the addon cannot be loaded; the error says why and what to do
 */
export function runtime(): Runtime {
  shared ??= new Runtime(loadAddon())
  return shared
}
