import { SESSION_HEAD } from '../engine/boundary.js'
import type { Receipts } from './receipts.js'

/**
 * The state of the engine that outlives a connection: the incoming messages of QoS 2 that were acknowledged and not
 * released. Each connection begins with what the last one has left, the first one of the program with what the store has.
 */
export class EngineState {
  private left: Uint8Array | undefined
  /** The connection whose state is of interest. */
  private connection = 0

  /** @param receipts null without a store */
  constructor(private readonly receipts: Receipts | null) {}

  /** For the next connection; undefined for nothing. */
  get bytes(): Uint8Array | undefined {
    return this.left ?? this.receipts?.state ?? undefined
  }

  /** Bytes of messages in what the last connection has left. */
  get messageBytes(): number {
    return Math.max((this.left?.length ?? 0) - SESSION_HEAD, 0)
  }

  /** A connection is being made: what older ones leave is of no interest from now on. */
  expectFrom(connection: number): void {
    this.connection = connection
  }

  /**
   * What a connection's engine leaves. One that was broken off may end after the next one has begun, which has its own
   * state by then.
   */
  save(connection: number, state: Uint8Array): void {
    if (connection >= this.connection) this.left = state
  }
}
