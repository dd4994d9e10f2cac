/** The greatest packet identifier. */
export const MOST_IDENTIFIER = 0xffff

/** The packet identifiers of one session (MQTT 5, 2.2.1): 1 to 65,535, none twice at a time. */
export class PacketIdentifiers {
  private readonly bits = new Uint32Array((MOST_IDENTIFIER + 1) / 32)
  private last = 0
  private used = 0

  /** One that is not in use, as long as possible since it was; 0 if all are in use. */
  take(): number {
    if (this.used === MOST_IDENTIFIER) return 0
    do this.last = this.last === MOST_IDENTIFIER ? 1 : this.last + 1
    while (this.isUsed(this.last))
    this.reserve(this.last)
    return this.last
  }

  /** Three of four are free. */
  get arePlentiful(): boolean {
    return this.used < MOST_IDENTIFIER / 4
  }

  /** All are in use. */
  get isExhausted(): boolean {
    return this.used === MOST_IDENTIFIER
  }

  isUsed(identifier: number): boolean {
    return ((this.bits[identifier >> 5] as number) & (1 << (identifier & 31))) !== 0
  }

  /** Takes a certain one, which is not in use. */
  reserve(identifier: number): void {
    this.bits[identifier >> 5] = (this.bits[identifier >> 5] as number) | (1 << (identifier & 31))
    this.used++
  }

  /** Gives one back; 0 is none. */
  free(identifier: number): void {
    if (identifier === 0) return
    this.bits[identifier >> 5] = (this.bits[identifier >> 5] as number) & ~(1 << (identifier & 31))
    this.used--
  }
}
