import { PacketTypes } from '../mqtt/packet-types.js'
import type { Properties } from '../mqtt/properties.js'
import { type ReasonCode, receivedReasonCode } from '../mqtt/reason-code.js'
import type { Advice } from './advice.js'
import { Failure, fact } from './failure.js'
import { FINAL } from './finality.js'

/** What to do about the codes of CONNACK. */
const ADVICE: ReadonlyMap<number, Advice> = new Map([
  [0x81, 'connect-not-understood'],
  [0x82, 'connect-not-understood'],
  [0x84, 'other-version'],
  [0x85, 'other-identifier'],
  [0x86, 'check-credentials'],
  [0x87, 'not-authorized'],
  [0x88, 'broker-not-ready'],
  [0x89, 'broker-busy'],
  [0x8a, 'banned'],
  [0x8c, 'authentication-method'],
  [0x95, 'connect-too-large'],
  [0x97, 'broker-quota'],
  [0x99, 'will-payload'],
  [0x9a, 'will-retain'],
  [0x9b, 'will-qos'],
  [0x9c, 'another-server'],
  [0x9d, 'server-moved'],
  [0x9f, 'connection-rate'],
])

/**
 * The broker has refused the connection.
 * @param rc CONNACK's code, as MQTT 5 has it
 * @param said CONNACK's properties; null on MQTT 3.x
 * @param where what errors call the broker
 */
export function refusal(rc: ReasonCode, said: Properties | null, where: string): Failure {
  return new Failure({
    kind: 'refused',
    rc,
    retry: FINAL.connack.get(rc.value) ?? 'later',
    advice: ADVICE.get(rc.value),
    cause: explanation(said, 'The broker refused the connection', where),
    properties: said,
  })
}

/**
 * The broker has ended the connection by DISCONNECT.
 * @param code DISCONNECT's code, above 0
 * @param said DISCONNECT's properties
 * @param where what errors call the broker
 */
export function farewell(code: number, said: Properties, where: string): Failure {
  return disconnection(code, explanation(said, 'The broker ended the connection', where), said)
}

/** We end the connection. @param code what DISCONNECT says to the broker, or would say */
export function disconnection(code: number, cause: Error, properties?: Properties): Failure {
  const rc = receivedReasonCode(PacketTypes.DISCONNECT, code) ?? code
  const retry = FINAL.disconnect.get(code) ?? 'later'
  return new Failure({ kind: 'disconnected', rc, retry, cause, properties })
}

/** What the broker said beside its code, in its Reason String and its Server Reference, and who it was. */
function explanation(said: Properties | null, usual: string, where: string): Error {
  const { reasonString, serverReference } = said ?? {}
  const parts: string[] = []
  if (reasonString !== undefined) parts.push(reasonString)
  if (serverReference !== undefined) parts.push(`Server reference: ${serverReference}`)
  return fact(`${parts.join('. ') || usual} (${where})`)
}
