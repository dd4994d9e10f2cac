import { PREPARED, QUEUED, SENT } from '../calls/operation.js'
import type { KeptPublish } from './kept-publish.js'

/**
 * The publishes of QoS 1 and 2 that are not acknowledged, in the order of their calls, which is the order in which they
 * are sent, on each connection again: those that are queued, prepared or sent. Anywhere in it one can be taken out at no
 * cost. Two places are kept in it: before `unprepared` each has its packet identifier, before `unsent` each was given to
 * the connection.
 */
export class FlowList {
  unprepared: KeptPublish | null = null
  unsent: KeptPublish | null = null
  first: KeptPublish | null = null
  last: KeptPublish | null = null
  /** There are others, not in the list yet, whose place is before `behindGap`, or at the end. */
  hasGap = false
  /** The first one that must not be sent before those of the gap; null if there is none. */
  behindGap: KeptPublish | null = null

  /** The first of those that the connection was given; null if there is none. */
  get oldestSent(): KeptPublish | null {
    for (let flow = this.first; flow !== null; flow = flow.next) if (flow.phase === SENT) return flow
    return null
  }

  append(flow: KeptPublish): void {
    this.link(flow, null)
    if (this.hasGap) this.behindGap ??= flow
  }

  /** All that there is comes behind others, which `insert()` brings. */
  openGap(): void {
    this.hasGap = true
    this.behindGap = this.first
  }

  /** Puts it where the gap is, behind those that were inserted before. */
  insert(flow: KeptPublish): void {
    this.link(flow, this.behindGap)
  }

  closeGap(): void {
    this.hasGap = false
    this.behindGap = null
  }

  /** Takes it out, if it is in; its phase is to be changed after this. */
  remove(flow: KeptPublish): void {
    const { phase } = flow
    if (phase !== QUEUED && phase !== PREPARED && phase !== SENT) return
    if (this.unprepared === flow) this.unprepared = flow.next
    if (this.unsent === flow) this.unsent = flow.next
    if (this.behindGap === flow) this.behindGap = flow.next
    if (flow.previous === null) this.first = flow.next
    else flow.previous.next = flow.next
    if (flow.next === null) this.last = flow.previous
    else flow.next.previous = flow.previous
    flow.previous = flow.next = null
  }

  /** Another connection: all are to be sent, from the first one on. */
  rewind(): void {
    this.unprepared = this.unsent = this.first
  }

  /** @param next the one that it comes before; null to put it at the end */
  private link(flow: KeptPublish, next: KeptPublish | null): void {
    flow.phase = QUEUED
    const previous = next === null ? this.last : next.previous
    flow.previous = previous
    flow.next = next
    if (previous === null) this.first = flow
    else previous.next = flow
    if (next === null) this.last = flow
    else next.previous = flow
    if (this.unprepared === next) this.unprepared = flow
    if (this.unsent === next) this.unsent = flow
  }
}
