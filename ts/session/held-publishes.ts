import { QUEUED } from '../calls/operation.js'
import type { OperationTable } from '../calls/operation-table.js'
import type { Runtime } from '../engine/runtime.js'
import type { KeptPublish } from './kept-publish.js'
import type { OfflineQueue } from './offline-queue.js'
import { type MakeError, publishRefusal } from './refusals.js'
import type { SessionConnection } from './session-connection.js'

/**
 * Publishes that are kept only until a connection is given them: those of QoS 0, and all where calls do not outlive their
 * connection.
 */
export class HeldPublishes {
  /** Those that wait for a connection. */
  private readonly waiting = new Set<KeptPublish>()

  constructor(
    private readonly runtime: Runtime,
    private readonly table: OperationTable,
    private readonly offline: OfflineQueue | null,
  ) {}

  /** A publish comes in. @param connection null while there is none */
  begin(publish: KeptPublish, connection: SessionConnection | null): void {
    if (connection !== null) {
      this.send(publish, connection)
    } else {
      publish.phase = QUEUED
      this.waiting.add(publish)
    }
  }

  /** Gives the connection what waits for one. */
  sendAll(connection: SessionConnection): void {
    for (const publish of this.waiting) this.send(publish, connection)
    this.waiting.clear()
  }

  /** It is over. */
  forget(publish: KeptPublish): void {
    this.offline?.remove(publish)
    this.waiting.delete(publish)
    this.table.remove(publish)
  }

  private send(publish: KeptPublish, connection: SessionConnection): void {
    const refused = publishRefusal(publish, connection)
    if (refused !== null) {
      this.reject(publish, refused)
      return
    }
    this.offline?.remove(publish)
    publish.send(this.runtime, connection.number)
  }

  private reject(publish: KeptPublish, make: MakeError): void {
    this.forget(publish)
    this.table.reject(publish, make)
  }
}
