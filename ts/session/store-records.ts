import { COMMAND_PUBLISH, COMMAND_WORDS } from '../engine/binding.js'
import type { StoreRecord } from '../store/store.js'
import { type SessionOperation, word } from './session-operation.js'

// A record is one unfinished publish of QoS 1 or 2. Key: the prefix and its number in the order of all, in 14 decimal
// digits. Value: a byte of the format, one of its state, its packet identifier (little endian, 0 for none yet), and
// then, unless only the second half of a QoS 2 flow is left, its command from its first byte on (commands.ts).

//
// A record of the other kind is a message of QoS 2 that was acknowledged and not released. Key: its prefix and the packet
// identifier in five decimal digits. The value is empty.

const PREFIX = 'out-'
const RECEIPT_PREFIX = 'in-'
const RECEIPT_DIGITS = 5
const DIGITS = 14
const FORMAT = 1
const HEAD = 4

const MESSAGE = 0
const RELEASED = 1

/** What a record says. */
export interface FlowRecord {
  readonly sequence: number
  readonly identifier: number
  readonly qos: number
  /** Null for a QoS 2 flow of which only the second half is left. */
  readonly command: Uint8Array | null
}

/** @param sequence the number of the flow, from 1 */
export function keyOf(sequence: number): string {
  return `${PREFIX}${String(sequence).padStart(DIGITS, '0')}`
}

/** The key of an incoming message's record. */
export function receiptKey(identifier: number): string {
  return `${RECEIPT_PREFIX}${String(identifier).padStart(RECEIPT_DIGITS, '0')}`
}

/** @returns the packet identifier of an incoming message's record; null for any other record */
export function parseReceipt([key]: StoreRecord): number | null {
  const identifier = Number(key.slice(RECEIPT_PREFIX.length))
  const isOne = Number.isInteger(identifier) && identifier > 0 && identifier <= 0xffff
  return isOne && receiptKey(identifier) === key ? identifier : null
}

/** The value of a flow's record. */
export function describe({ command, identifier, isReleased }: SessionOperation): Uint8Array {
  const kept = isReleased ? null : command
  const value = new Uint8Array(HEAD + (kept?.length ?? 0))
  value[0] = FORMAT
  value[1] = kept === null ? RELEASED : MESSAGE
  value[2] = identifier
  value[3] = identifier >>> 8
  if (kept !== null) value.set(kept, HEAD)
  return value
}

/** @returns null for a record of something else; an error's text for one that makes no sense */
export function parse([key, value]: StoreRecord): FlowRecord | string | null {
  if (!key.startsWith(PREFIX)) return null
  const sequence = Number(key.slice(PREFIX.length))
  if (!Number.isSafeInteger(sequence) || sequence <= 0 || keyOf(sequence) !== key) {
    return 'its key is not one of ours'
  }
  if (value.length < HEAD || value[0] !== FORMAT) return 'its format is unknown'
  const identifier = (value[2] as number) | ((value[3] as number) << 8)
  if (value[1] === RELEASED) {
    return identifier === 0 ? 'it has no packet identifier' : { sequence, identifier, qos: 2, command: null }
  }
  const command = Buffer.from(value.subarray(HEAD))
  const flaw = commandFlaw(command)
  if (flaw !== null) return flaw
  return { sequence, identifier, qos: (command[5] as number) & 3, command }
}

/** What the native side must not be given. */
function commandFlaw(command: Uint8Array): string | null {
  const head = (COMMAND_WORDS + 4) * 4
  if (command.length < head || command.length !== word(command, 0)) return 'it is cut short'
  const length =
    head +
    word(command, COMMAND_WORDS) +
    1 +
    word(command, COMMAND_WORDS + 1) +
    word(command, COMMAND_WORDS + 2)
  const qos = (command[5] as number) & 3
  const isPublish = command[4] === COMMAND_PUBLISH && qos > 0 && qos < 3
  return isPublish && command.length === ((length + 3) & ~3) ? null : 'it is no publish of QoS 1 or 2'
}
