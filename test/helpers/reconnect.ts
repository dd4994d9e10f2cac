import { type Client, type ClientOptions, ProtocolVersion } from 'aiomqtt'
import { patience } from './client.js'
import { within } from './deadline.js'
import type { Peer, Received, Session } from './peer.js'

/** Comes back quickly, so that a test need not wait. */
export const quickly = { minDelay: 0.01, maxDelay: 0.05 }

let identifiers = 0

/** A session that outlives its connections, and is asked for again. */
export function lasting(protocol: ProtocolVersion): ClientOptions {
  const identifier = `lasting-${++identifiers}`
  if (protocol !== ProtocolVersion.V5) return { protocol, identifier, cleanSession: false }
  return { protocol, identifier, properties: { sessionExpiryInterval: 600 } }
}

/** The next connection of a client, with its CONNECT read and a CONNACK sent that says whether there is a session. */
export function welcomed(peer: Peer, sessionPresent = false): Promise<Session> {
  return within(patience, 'coming back', peer.welcome({ sessionPresent }))
}

/** Resolves when the client is in this state. */
export async function reached(client: Client, state: Client['state']): Promise<void> {
  const changes = client.states
  if (client.state === state) return
  const watching = (async () => {
    for await (const change of changes) if (change.state === state) return
  })()
  await within(patience, `the state ${state}`, watching)
}

/** What the client publishes next, in short: `1 dup topic payload #identifier`. */
export function shown({ qos, dup, topic, payload, messageId }: Received<'publish'>): string {
  return [qos, ...(dup ? ['dup'] : []), topic, String(payload), ...(qos > 0 ? [`#${messageId}`] : [])].join(
    ' ',
  )
}

/** A message of QoS 0 of the broker's. */
export function message(topic: string, payload: string) {
  return { cmd: 'publish', topic, payload, qos: 0, dup: false, retain: false } as const
}
