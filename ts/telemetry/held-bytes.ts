import type { HeldBytes } from './client-stats.js'

/** What each kind of buffer of a connection may take before it counts: one read of the engine's. */
const OWN_BUFFER = 256 * 1024

/** The account of what is held for a client: the bytes that the bounds of its queue are about. */
export function queuedBytes(held: HeldBytes): number {
  const buffers = [held.unreadBytes, held.replyBytes, held.topicBytes]
  const beyond = buffers.reduce((sum, bytes) => sum + Math.max(bytes - OWN_BUFFER, 0), 0)
  return held.messageBytes + held.unreleasedBytes + beyond + Math.max(held.slabBytes - held.messageBytes, 0)
}
