import type { PendingCall } from '../calls/pending-call.js'
import type { Connection } from '../connection/connection.js'
import type { Host } from '../reconnect/hosts.js'
import { clearTimeout } from '../support/clock.js'
import type { Attempt } from './attempt.js'

/** What a client is doing, and what there is while it does. `call` is the pending `connect()`; null when coming back. */
export type Life =
  | { readonly is: 'idle' }
  | { readonly is: 'loading'; readonly call: PendingCall }
  | { readonly is: 'trying'; readonly call: PendingCall | null; readonly attempt: Attempt }
  | { readonly is: 'pausing'; readonly call: PendingCall | null; readonly timer: NodeJS.Timeout }
  | { readonly is: 'connected'; readonly host: Host; readonly connection: Connection }
  | {
      readonly is: 'disconnecting'
      readonly host: Host
      readonly connection: Connection
      readonly disconnection: PendingCall
    }

export const IDLE: Life = { is: 'idle' }

/**
 * Ends at once what a client is doing.
 * @returns the pending `connect()`, for its owner to settle; null if there is none
 */
export function abandon(life: Life): PendingCall | null {
  switch (life.is) {
    case 'idle':
      return null
    case 'loading':
      return life.call
    case 'trying':
      life.attempt.abandon()
      return life.call
    case 'pausing':
      clearTimeout(life.timer)
      return life.call
    case 'connected':
    case 'disconnecting':
      life.connection.abort()
      return null
    default:
      return life satisfies never
  }
}
