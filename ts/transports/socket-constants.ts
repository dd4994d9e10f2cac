/** Linux's numbers, on all processors but MIPS, SPARC, Alpha and PA-RISC. */
const LINUX = {
  SOL_SOCKET: 1,
  SO_REUSEADDR: 2,
  SO_SNDBUF: 7,
  SO_RCVBUF: 8,
  SO_KEEPALIVE: 9,
  SO_PRIORITY: 12,
  SO_BINDTODEVICE: 25,
  SO_MARK: 36,
  IPPROTO_IP: 0,
  IP_TOS: 1,
  IP_TTL: 2,
  IPPROTO_IPV6: 41,
  IPV6_UNICAST_HOPS: 16,
  IPV6_TCLASS: 67,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_MAXSEG: 2,
  TCP_KEEPIDLE: 4,
  TCP_KEEPINTVL: 5,
  TCP_KEEPCNT: 6,
  TCP_QUICKACK: 12,
  TCP_CONGESTION: 13,
  TCP_USER_TIMEOUT: 18,
} as const

type Constants = Readonly<Record<keyof typeof LINUX, number>>

/** What the operating system does not have; setsockopt(2) answers `Protocol not available`. */
const NONE = -1

const DARWIN: Constants = {
  SOL_SOCKET: 0xffff,
  SO_REUSEADDR: 4,
  SO_SNDBUF: 0x1001,
  SO_RCVBUF: 0x1002,
  SO_KEEPALIVE: 8,
  SO_PRIORITY: NONE,
  SO_BINDTODEVICE: NONE,
  SO_MARK: NONE,
  IPPROTO_IP: 0,
  IP_TOS: 3,
  IP_TTL: 4,
  IPPROTO_IPV6: 41,
  IPV6_UNICAST_HOPS: 4,
  IPV6_TCLASS: 36,
  IPPROTO_TCP: 6,
  TCP_NODELAY: 1,
  TCP_MAXSEG: 2,
  TCP_KEEPIDLE: 16,
  TCP_KEEPINTVL: 0x101,
  TCP_KEEPCNT: 0x102,
  TCP_QUICKACK: NONE,
  TCP_CONGESTION: NONE,
  TCP_USER_TIMEOUT: NONE,
}

const WINDOWS: Constants = {
  ...DARWIN,
  IPV6_TCLASS: 39,
  TCP_MAXSEG: 4,
  TCP_KEEPIDLE: 3,
  TCP_KEEPINTVL: 17,
  TCP_KEEPCNT: 16,
}

const BY_PLATFORM: Readonly<Record<string, Constants>> = { darwin: DARWIN, win32: WINDOWS }

/**
 * Levels and names of socket options for `socketOptions`, under the names and with the numbers that Python's module
 * `socket` has on this operating system. Times are seconds, but `TCP_USER_TIMEOUT`, which is milliseconds.
 *
 * @example
 * socketOptions: [
 *   [SocketConstants.SOL_SOCKET, SocketConstants.SO_KEEPALIVE, 1],
 *   [SocketConstants.IPPROTO_TCP, SocketConstants.TCP_KEEPIDLE, 30],
 * ]
 */
export const SocketConstants: Constants = Object.freeze({
  ...(BY_PLATFORM[process.platform] ?? LINUX),
})
