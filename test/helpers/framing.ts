/** MQTT's packet types by the number in their fixed header (MQTT 5 section 2.1.2). */
export const PACKET_TYPES = [
  'reserved',
  'connect',
  'connack',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  'subscribe',
  'suback',
  'unsubscribe',
  'unsuback',
  'pingreq',
  'pingresp',
  'disconnect',
  'auth',
] as const

export type PacketType = (typeof PACKET_TYPES)[number]

/** One packet of a stream, or the rest of a stream that is no MQTT. */
export interface Frame {
  readonly type: PacketType
  readonly bytes: Buffer
}

/** Cuts a stream into packets, as it comes. */
export class Framing {
  #rest: Buffer = Buffer.alloc(0)

  /** The packets that are whole with these bytes. */
  take(chunk: Buffer): Frame[] {
    this.#rest = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const frames: Frame[] = []
    for (;;) {
      const size = packetSize(this.#rest)
      if (size === 0 || this.#rest.length < size) return frames
      const bytes = this.#rest.subarray(0, size)
      this.#rest = this.#rest.subarray(size)
      frames.push({ type: PACKET_TYPES[(bytes[0] as number) >> 4] as PacketType, bytes })
    }
  }
}

/** The size of the packet that begins here, 0 while it is not known. */
function packetSize(from: Buffer): number {
  let length = 0
  for (let i = 1; i <= 4 && i < from.length; i++) {
    const byte = from[i] as number
    length += (byte & 0x7f) * 2 ** (7 * (i - 1))
    if (byte < 0x80) return 1 + i + length
  }
  return 0
}
