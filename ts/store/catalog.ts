import { type Place, RecordIndex } from './record-index.js'
import type { Segment } from './segment.js'

/** What a store's files hold: where each record is, and how much of each file is not over. */
export class Catalog {
  readonly index = new RecordIndex()
  /** By their numbers. */
  readonly segments: Segment[] = []
  readonly #byNumber = new Map<number, Segment>()
  /** Bytes of all files but the last. */
  #sealed = 0
  #counted = 0
  #live = 0

  /** Bytes that the records count for. */
  get counted(): number {
    return this.#counted
  }

  /** Bytes of the files that belong to records. */
  get live(): number {
    return this.#live
  }

  /** Bytes of all files. */
  get total(): number {
    return this.#sealed + (this.last?.end ?? 0)
  }

  get last(): Segment | undefined {
    return this.segments.at(-1)
  }

  segment(number: number): Segment | undefined {
    return this.#byNumber.get(number)
  }

  /** Another file, behind all others: their ends stay as they are. */
  add(segment: Segment): void {
    this.#sealed += this.last?.end ?? 0
    this.segments.push(segment)
    this.#byNumber.set(segment.number, segment)
  }

  /** Forgets files that are over; never the last one. */
  dropFirst(count: number): Segment[] {
    const dropped = this.segments.splice(0, count)
    for (const { number, records, end } of dropped) {
      this.#sealed -= end
      if (records > 0) this.#forget(number)
      this.#byNumber.delete(number)
    }
    return dropped
  }

  put(key: string, place: Place): void {
    this.#gone(this.index.set(key, place))
    const segment = this.#byNumber.get(place.file) as Segment
    segment.records++
    segment.live += place.size
    this.#live += place.size
    this.#counted += place.counted
  }

  remove(key: string): void {
    this.#gone(this.index.delete(key))
  }

  #gone(place: Place | null): void {
    if (place === null) return
    const segment = this.#byNumber.get(place.file) as Segment
    segment.records--
    segment.live -= place.size
    this.#live -= place.size
    this.#counted -= place.counted
  }

  #forget(file: number): void {
    for (const key of [...this.index.keys()]) if (this.index.get(key)?.file === file) this.remove(key)
  }
}
