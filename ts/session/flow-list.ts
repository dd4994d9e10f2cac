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
  private last: KeptPublish | null = null

  append(flow: KeptPublish): void {
    flow.phase = QUEUED
    flow.previous = this.last
    if (this.last === null) this.first = flow
    else this.last.next = flow
    this.last = flow
    this.unprepared ??= flow
    this.unsent ??= flow
  }

  /** Puts it before all others; before there is a connection. */
  prepend(flow: KeptPublish): void {
    flow.phase = QUEUED
    flow.next = this.first
    if (this.first === null) this.last = flow
    else this.first.previous = flow
    this.first = flow
    this.rewind()
  }

  /** Takes it out, if it is in; its phase is to be changed after this. */
  remove(flow: KeptPublish): void {
    const { phase } = flow
    if (phase !== QUEUED && phase !== PREPARED && phase !== SENT) return
    if (this.unprepared === flow) this.unprepared = flow.next
    if (this.unsent === flow) this.unsent = flow.next
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
}
