import { ProtocolVersion } from 'aiomqtt'

/** The versions of MQTT that the scenarios are tried with. */
export const VERSIONS = { 'MQTT 3.1.1': ProtocolVersion.V311, 'MQTT 5': ProtocolVersion.V5 } as const
export type Version = keyof typeof VERSIONS

/** A broker that runs. */
export interface Running {
  readonly host: string
  /** What a client needs to trust it. */
  readonly caCerts: string
  readonly tcp: number
  readonly tls: number
  readonly websocket: { readonly port: number; readonly path: string }
  /** What every client has to give. */
  readonly login?: { username: string; password: string }
  stop(): Promise<void>
}
