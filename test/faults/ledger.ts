import { type Client, type Message, MqttError } from 'aiomqtt'

type QoS = 0 | 1 | 2
type State = 'pending' | 'acknowledged' | 'rejected'

/** Marks of a message that came as it should: that it may come again; else the chapter, from `FIRST` on. */
const AGAIN = 1
const FIRST = 2

/** One message, from the call that publishes it. */
export interface Entry {
  readonly topic: string
  readonly qos: QoS
  /** Counts the messages of one topic and QoS. */
  readonly number: number
  state: State
  /** Why it was rejected. */
  reason?: unknown
  /** How often it was received. */
  received: number
  /** The chapter in which it was published. */
  readonly begun: number
  /** The chapter in which it was acknowledged. */
  chapter: number
}

/** What a run may find wrong without being wrong itself; nothing unless it is said. */
export interface Allowances {
  /**
   * Chapters in which the broker forgets; may grow as the run goes, with the chapter that begins. What was under way in
   * one of them, from its call to its acknowledgement, may be lost, and of QoS 2 it may come again.
   */
  lossyChapters?: ReadonlySet<number>
  /** So many chapters back the broker goes when it forgets: what came in them may come again. 0. */
  goesBack?: number
}

/**
 * What was published, acknowledged and received, and whether that is what was promised: no acknowledged message of QoS 1
 * or 2 lost, QoS 2 exactly once, QoS 0 at most once, the order kept for each topic and QoS, no call pending.
 */
export class Ledger {
  /** Counts what happens to the broker, for what may only be lost then. */
  chapter = 0
  readonly #entries = new Map<string, Entry>()
  readonly #allowances: Allowances
  /** What came as it should, by topic and QoS, a mark each: a ledger must not be what grows in a long run. */
  readonly #finished = new Map<string, Uint16Array>()
  #finishedCount = 0
  #repeatedCount = 0
  readonly #last = new Map<string, number>()
  readonly #newest = new Map<string, number>()
  readonly #calls = new Set<Promise<void>>()
  readonly #faults: string[] = []
  #watcher: () => void = () => {}

  constructor(allowances: Allowances = {}) {
    this.#allowances = allowances
  }

  /** Publishes a message; resolves to what became of it, and does not reject. */
  async publish(client: Client, topic: string, qos: QoS, padding = 0): Promise<Entry> {
    const lane = `${topic} ${qos}`
    const number = (this.#last.get(lane) ?? 0) + 1
    this.#last.set(lane, number)
    const begun = this.chapter
    const entry: Entry = { topic, qos, number, state: 'pending', received: 0, begun, chapter: 0 }
    this.#entries.set(`${lane} ${number}`, entry)
    const call = client.publish(topic, `${lane} ${number} ${'.'.repeat(padding)}`, { qos }).then(
      () => {
        entry.state = 'acknowledged'
        entry.chapter = this.chapter
        this.#finishIfOver(entry)
      },
      (reason: unknown) => {
        entry.state = 'rejected'
        entry.reason = reason
      },
    )
    this.#calls.add(call)
    await call
    this.#calls.delete(call)
    this.#watcher()
    return entry
  }

  /** Takes down a message that a subscriber received. */
  receive(message: Message): void {
    const [topic, qos, digits] = message.text().split(' ')
    const lane = `${topic} ${qos}`
    const entry = this.#entries.get(`${lane} ${digits}`)
    const mark = this.#finished.get(lane)?.[Number(digits)] ?? 0
    if (entry === undefined && mark !== 0) {
      this.#repeatedCount++
      const { goesBack = 0 } = this.#allowances
      const isExcused = mark === AGAIN || (goesBack > 0 && mark - FIRST >= this.chapter - goesBack)
      if (!isExcused) this.#faults.push(`number ${digits} of ${lane} was received again`)
      return
    }
    if (entry === undefined || entry.topic !== message.topic.value) {
      this.#faults.push(`a message that nobody published: ${message.topic} ${message.text().slice(0, 50)}`)
      return
    }
    if (entry.received++ === 0) {
      const newest = this.#newest.get(lane) ?? 0
      if (entry.number < newest) {
        this.#faults.push(`${nameOf(entry)} came after number ${newest}`)
      }
      this.#newest.set(lane, Math.max(newest, entry.number))
    }
    this.#finishIfOver(entry)
    this.#watcher()
  }

  /** How many there are of each kind; `undeliverable` are those that were rejected as such. */
  get counts(): Record<State | 'undeliverable' | 'received' | 'repeated', number> {
    const finished = this.#finishedCount
    const counts = {
      pending: 0,
      acknowledged: finished,
      rejected: 0,
      undeliverable: 0,
      received: finished,
      repeated: this.#repeatedCount,
    }
    for (const entry of this.#entries.values()) {
      counts[entry.state]++
      if (isUndeliverable(entry)) counts.undeliverable++
      if (entry.received > 0) counts.received++
      if (entry.received > 1) counts.repeated++
    }
    return counts
  }

  /** Resolves when no call is pending and nothing acknowledged is still to come, or after `milliseconds`. */
  async settled(milliseconds: number): Promise<void> {
    await this.#until(milliseconds, () => this.#calls.size === 0 && this.#missing().length === 0)
  }

  /** Resolves when nothing acknowledged is still to come, whatever is pending, or after `milliseconds`. */
  async arrived(milliseconds: number): Promise<void> {
    await this.#until(milliseconds, () => this.#missing().length === 0)
  }

  async #until(milliseconds: number, isReached: () => boolean): Promise<void> {
    const until = Date.now() + milliseconds
    while (!isReached()) {
      const left = until - Date.now()
      if (left <= 0) return
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, Math.min(left, 250))
        this.#watcher = () => {
          clearTimeout(timer)
          this.#watcher = () => {}
          setTimeout(resolve, 10)
        }
      })
    }
  }

  /** What is not as promised, a sentence each; to be asked at the end of a run. */
  faults(): string[] {
    const faults = [...this.#faults]
    for (const entry of this.#missing()) {
      faults.push(`${nameOf(entry)} was acknowledged (chapter ${entry.chapter}) and never received`)
    }
    for (const entry of this.#entries.values()) {
      if (isUndeliverable(entry) && entry.received > 0)
        faults.push(`${nameOf(entry)} was given up and received`)
      if (entry.state === 'pending') faults.push(`${nameOf(entry)} is pending`)
      if (entry.received > 1 && !this.#mayComeAgain(entry)) {
        faults.push(`${nameOf(entry)} was received ${entry.received} times`)
      }
    }
    return faults
  }

  #finishIfOver(entry: Entry): void {
    if (entry.state !== 'acknowledged' || entry.received !== 1) return
    const lane = `${entry.topic} ${entry.qos}`
    let marks = this.#finished.get(lane) ?? new Uint16Array(256)
    if (marks.length <= entry.number) {
      const more = new Uint16Array(marks.length + entry.number)
      more.set(marks)
      marks = more
    }
    marks[entry.number] = this.#mayComeAgain(entry) ? AGAIN : FIRST + this.chapter
    this.#finished.set(lane, marks)
    this.#entries.delete(`${lane} ${entry.number}`)
    this.#finishedCount++
  }

  #missing(): Entry[] {
    return [...this.#entries.values()].filter(
      (entry) =>
        entry.qos > 0 && entry.state === 'acknowledged' && entry.received === 0 && !this.#wasForgotten(entry),
    )
  }

  #mayComeAgain(entry: Entry): boolean {
    return entry.qos === 1 || (entry.qos === 2 && this.#wasForgotten(entry))
  }

  /** Whether the broker forgot while this message was under way. */
  #wasForgotten({ begun, chapter, state }: Entry): boolean {
    const { lossyChapters } = this.#allowances
    if (lossyChapters === undefined) return false
    const last = state === 'acknowledged' ? chapter : this.chapter
    for (let at = begun; at <= last; at++) if (lossyChapters.has(at)) return true
    return false
  }
}

/** The broker closed the connection at it again and again (`maxDeliveryLosses`). */
function isUndeliverable({ reason }: Entry): boolean {
  return reason instanceof MqttError && reason.code === 'ERR_MQTT_DELIVERY'
}

function nameOf({ topic, qos, number }: Entry): string {
  return `number ${number} of ${topic} at QoS ${qos}`
}
