import { types } from 'node:util'
import { timedOut } from '../calls/operation.js'
import { PendingCall } from '../calls/pending-call.js'
import type { Runtime } from '../engine/runtime.js'
import { type MqttError, MqttReentrantError } from '../mqtt/errors.js'
import { PacketTypes } from '../mqtt/packet-types.js'
import { Properties } from '../mqtt/properties.js'
import { type AuthenticationSettings, checkAuthenticationData } from '../options/authentication.js'
import { type Callable, CallSite } from '../support/call-site.js'
import { typeError } from '../support/validate.js'

const SUCCESS = 0x00
const CONTINUE = 0x18
const REAUTHENTICATE = 0x19

/** What an authenticator does with its connection. */
export interface AuthenticatorOwner {
  /**
   * Sends AUTH.
   * @param properties including their length prefix
   * @throws {MqttError} the broker takes no packet of that size
   */
  sendAuth(code: number, properties: Uint8Array): void
  /** The challenge cannot be answered: the connection must end. */
  failAuthentication(cause: unknown): void
}

/**
 * The enhanced authentication of one connection (MQTT 5, 4.12): answers the broker's challenges as the option
 * `authentication` says. The engine sees to it that the broker keeps to the method and to its turns.
 */
export class Authenticator {
  /** Our AUTH has begun a re-authentication that is not over, whether or not its caller still waits. */
  private isUnderWay = false
  private call: PendingCall | null = null
  private isOver = false

  constructor(
    private readonly settings: AuthenticationSettings,
    private readonly owner: AuthenticatorOwner,
  ) {}

  /**
   * Begins to authenticate again; resolves when the broker is content.
   * @param timeout seconds
   * @param entry the public method that is running
   * @throws {MqttReentrantError} another re-authentication is under way
   * @throws {MqttError} as `sendAuth()`, or there is no time
   */
  reauthenticate(data: Uint8Array | null, runtime: Runtime, timeout: number, entry: Callable): Promise<void> {
    if (this.isUnderWay) throw new MqttReentrantError('Another re-authentication is under way')
    if (timeout <= 0) throw timedOut()
    this.owner.sendAuth(REAUTHENTICATE, this.properties(data))
    this.isUnderWay = true
    const call = new PendingCall(runtime, timeout, undefined, new CallSite(entry), (reason) => {
      this.call = null
      call.reject(reason)
    })
    this.call = call
    return call.promise
  }

  /** AUTH came. */
  received(code: number, raw: Buffer): void {
    if (code === SUCCESS) {
      this.isUnderWay = false
      const { call } = this
      this.call = null
      call?.resolve()
    } else {
      // The slab that the bytes are in is used again.
      const { authenticationData } = Properties.decode(PacketTypes.AUTH, Buffer.from(raw))
      this.respond(authenticationData ?? null)
    }
  }

  /** The connection is over. */
  end(makeError: () => MqttError): void {
    this.isOver = true
    const { call } = this
    this.call = null
    call?.fail(makeError())
  }

  private respond(challenge: Buffer | null): void {
    try {
      const answer = this.settings.respond(challenge)
      if (answer === null || types.isUint8Array(answer)) this.answer(answer)
      else Promise.resolve(answer).then(this.answer, this.fail)
    } catch (error) {
      this.fail(error)
    }
  }

  private readonly answer = (data: unknown): void => {
    if (this.isOver) return
    try {
      if (data === undefined) throw typeError('authentication.respond must return a Uint8Array or null')
      const checked = checkAuthenticationData('What authentication.respond returns', data)
      this.owner.sendAuth(CONTINUE, this.properties(checked))
    } catch (error) {
      this.fail(error)
    }
  }

  private readonly fail = (cause: unknown): void => {
    if (!this.isOver) this.owner.failAuthentication(cause)
  }

  private properties(data: Uint8Array | null): Uint8Array {
    const properties = new Properties(PacketTypes.AUTH)
    properties.authenticationMethod = this.settings.method
    if (data !== null) properties.authenticationData = data
    return properties.encode()
  }
}

/** CONNECT's properties, with what `authentication` adds to them, encoded. */
export function encodeConnectProperties(
  properties: Properties | null,
  authentication: AuthenticationSettings | null,
): Uint8Array {
  if (properties === null) return new Uint8Array(0)
  if (authentication === null) return properties.encode()
  const all = Properties.from(PacketTypes.CONNECT, properties)
  all.authenticationMethod = authentication.method
  if (authentication.data !== null) all.authenticationData = authentication.data
  return all.encode()
}
