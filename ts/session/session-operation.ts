import { Operation, type OperationOwner } from '../calls/operation.js'
import type { FiltersCall } from '../calls/subscribe-arguments.js'
import { COMMAND_PUBLISH, COMMAND_WORDS, MESSAGE_DUP } from '../engine/binding.js'
import type { CallSite } from '../support/call-site.js'

const CONNECTION_WORD = 2
const IDENTIFIER_WORD = COMMAND_WORDS + 3

/** What a call of a session is made with, beside what each call is. */
export interface SessionCall {
  /** Of SUBSCRIBE and UNSUBSCRIBE. */
  readonly filters: FiltersCall | null
  /** Its time does not run while there is no connection. */
  readonly isPatient: boolean
  /** It makes sense on one connection only: its topic is an alias. */
  readonly isBound: boolean
}

/** A call that may outlive connections. For those of QoS 1 and 2 also a link of the list of all of them. */
export class SessionOperation extends Operation {
  /** The packet identifier; 0 until it is first sent, and always for QoS 0. */
  identifier = 0
  /** It has its place in the present connection's window, and its packet identifier. */
  isPrepared = false
  /** The present connection has been given it. */
  isSubmitted = false
  /** An older connection of the same session was given it: the broker may know it. */
  isKnown = false
  /** An older connection was given it. */
  isRepeated = false
  /** QoS 2: PUBREC has come, or the message is given up; only the second half of the flow is left. */
  isReleased = false
  /** The same, and the store, if there is one, knows it: PUBREL may be sent. */
  isReleasable = false
  /** The broker's limits have been looked at. */
  isChecked = false
  /** Nobody waits for it, and it is sent all the same: the store has it. */
  isKept = false
  /** It counts as a call that is under way. */
  isCounted = false
  /** The present connection has been told to send its PUBREL. */
  isContinued = false
  /** What the store has of it: the packet identifier, or -1 while it has nothing. */
  storedIdentifier = -1
  /** The key of its record. */
  key = ''
  /** @internal */
  isListed = false
  /** @internal */
  previous: SessionOperation | null = null
  /** @internal */
  next: SessionOperation | null = null

  readonly filters: FiltersCall | null
  readonly isPatient: boolean
  readonly isBound: boolean

  constructor(
    owner: OperationOwner,
    number: number,
    kind: number,
    qos: number,
    timeout: number,
    signal: AbortSignal | undefined,
    site: CallSite | null,
    { filters, isPatient, isBound }: SessionCall,
  ) {
    super(owner, number, kind, qos, timeout, signal, site)
    this.filters = filters
    this.isPatient = isPatient
    this.isBound = isBound
  }

  /** Its command's bytes, or 0 where they are not kept. */
  get size(): number {
    return this.command?.length ?? 0
  }

  /** The lengths of its topic, its properties and its payload together. */
  get contentLength(): number {
    const { command } = this
    if (command === null || this.kind !== COMMAND_PUBLISH) return 0
    return word(command, COMMAND_WORDS) + word(command, COMMAND_WORDS + 1) + word(command, COMMAND_WORDS + 2)
  }

  /** The command for a connection. */
  commandFor(connection: number, isDup: boolean): Uint8Array {
    const command = this.command as Uint8Array
    setWord(command, CONNECTION_WORD, connection)
    // The flags are the second byte of the word after the length.
    const flags = (command[5] as number) & ~MESSAGE_DUP
    command[5] = isDup ? flags | MESSAGE_DUP : flags
    if (this.identifier !== 0) {
      const at = this.kind === COMMAND_PUBLISH ? IDENTIFIER_WORD : IDENTIFIER_WORD - 1
      setWord(command, at, this.identifier)
    }
    return command
  }
}

export function word(command: Uint8Array, at: number): number {
  const byte = at * 4
  return (
    ((command[byte] as number) |
      ((command[byte + 1] as number) << 8) |
      ((command[byte + 2] as number) << 16) |
      ((command[byte + 3] as number) << 24)) >>>
    0
  )
}

export function setWord(command: Uint8Array, at: number, value: number): void {
  const byte = at * 4
  command[byte] = value
  command[byte + 1] = value >>> 8
  command[byte + 2] = value >>> 16
  command[byte + 3] = value >>> 24
}
