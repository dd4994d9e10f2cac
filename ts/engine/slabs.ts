import { CHUNK_BYTES } from './boundary.js'

/**
 * What arrives is copied into slabs of this size, and messages are views of them. Small, because a message
 * that somebody keeps keeps its whole slab; still large enough that a slab costs little for each of its messages. A
 * larger message has a slab of its own.
 */
const SLAB_SIZE = 2 * CHUNK_BYTES

/** Who has messages in a slab. */
export interface SlabResident {
  /** The slab that was filled is full: nothing is added to it. */
  slabFilled(): void
}

/** The slabs of an environment, of which one is being filled. */
export class Slabs {
  /** The one that is being filled. */
  current: Buffer = Buffer.allocUnsafeSlow(SLAB_SIZE)
  private residents: SlabResident[] = []

  /** Tells `resident` when the current slab is full, once for each call. */
  watch(resident: SlabResident): void {
    this.residents.push(resident)
  }

  /** Begins another one. @param room bytes that it must have */
  replace(room = 0): void {
    this.current = Buffer.allocUnsafeSlow(Math.max(room, SLAB_SIZE))
    const { residents } = this
    this.residents = []
    for (const resident of residents) resident.slabFilled()
  }
}
