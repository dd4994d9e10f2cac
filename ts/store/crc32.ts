const POLYNOMIAL = 0xedb8_8320

const TABLE = Uint32Array.from({ length: 256 }, (_, byte) => {
  let value = byte
  for (let bit = 0; bit < 8; bit++) value = (value >>> 1) ^ ((value & 1) * POLYNOMIAL)
  return value
})

/** The CRC-32 (IEEE 802.3) of several pieces, one after the other. */
export function crc32(...pieces: Uint8Array[]): number {
  let crc = 0xffff_ffff
  for (const piece of pieces) {
    for (let at = 0; at < piece.length; at++) {
      crc = (crc >>> 8) ^ (TABLE[(crc ^ (piece[at] as number)) & 0xff] as number)
    }
  }
  return ~crc >>> 0
}
