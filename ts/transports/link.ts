import type { Binding, ConnectionOptions } from '../engine/binding.js'
import type { TlsRetry } from '../failures/finality.js'

/** The fields of a connection's options that say where its bytes go. */
export type LinkFields = Pick<
  ConnectionOptions,
  'addresses' | 'descriptor' | 'tls' | 'bindAddress' | 'bindPort' | 'socketOptions'
>

/** A way to the broker that is ready to be used, by one connection. */
export interface Link {
  /** What errors call the broker: `host:port`, or the path of a unix socket. */
  readonly where: string
  /** Whether there is TLS. */
  readonly isSecure: boolean
  /** Whether another way can have other options for TLS. */
  readonly tlsRetry: TlsRetry
  /** What has gone wrong in JavaScript's part of the way. */
  readonly failure: Error | null
  /** Bytes that have come and that JavaScript's part of the way still has. */
  readonly held: number
  /** Settles when nothing is left in JavaScript's part that is to be sent; null where there is no such part. */
  readonly drained: Promise<void> | null
  /** The fields for `Binding.open()`, which must follow at once. */
  fields(binding: Binding): LinkFields
  /** Gives up JavaScript's part of the way, whatever is left in it. */
  destroy(): void
}
