import { constants } from 'node:os'
import { getSystemErrorMap } from 'node:util'

/**
 * The C library's texts for the errors that sockets give, by their names: what Python prints. Node's own table
 * has libuv's texts, which differ; it serves for the rest.
 */
const TEXTS: Readonly<Record<string, string>> = {
  EACCES: 'Permission denied',
  EADDRINUSE: 'Address already in use',
  EADDRNOTAVAIL: 'Cannot assign requested address',
  EAFNOSUPPORT: 'Address family not supported by protocol',
  EBADF: 'Bad file descriptor',
  ECONNABORTED: 'Software caused connection abort',
  ECONNREFUSED: 'Connection refused',
  ECONNRESET: 'Connection reset by peer',
  EHOSTDOWN: 'Host is down',
  EHOSTUNREACH: 'No route to host',
  EINTR: 'Interrupted system call',
  EINVAL: 'Invalid argument',
  EMFILE: 'Too many open files',
  ENETDOWN: 'Network is down',
  ENETUNREACH: 'Network is unreachable',
  ENFILE: 'Too many open files in system',
  ENOBUFS: 'No buffer space available',
  ENOENT: 'No such file or directory',
  ENOMEM: 'Cannot allocate memory',
  ENOPROTOOPT: 'Protocol not available',
  ENOTCONN: 'Transport endpoint is not connected',
  EPERM: 'Operation not permitted',
  EPIPE: 'Broken pipe',
  EPROTONOSUPPORT: 'Protocol not supported',
  ETIMEDOUT: 'Connection timed out',
}

/** What `getaddrinfo` says, in Python's words, by the code that Node gives. */
const LOOKUP_TEXTS: Readonly<Record<string, string>> = {
  ENOTFOUND: '[Errno -2] Name or service not known',
  EAI_AGAIN: '[Errno -3] Temporary failure in name resolution',
  EAI_FAIL: '[Errno -4] Non-recoverable failure in name resolution',
  EAI_NODATA: '[Errno -5] No address associated with hostname',
  EAI_FAMILY: '[Errno -6] ai_family not supported',
  EAI_MEMORY: '[Errno -10] Memory allocation failure',
}

/** An error of the operating system, shaped as Node's own. */
export interface SystemError extends Error {
  /** The error's name, for example `ECONNREFUSED`. */
  code: string
  /** The negated error number, as Node gives it. */
  errno: number
  syscall: string
  address?: string
  port?: number
}

/** Of Node's numbers, and of those of Windows' C library, which Node does not use there. */
function nameOf(errno: number): string | undefined {
  const ofNode = getSystemErrorMap().get(-errno)?.[0]
  return ofNode ?? Object.entries(constants.errno).find(([, number]) => number === errno)?.[0]
}

function textOf(errno: number): string {
  const name = nameOf(errno) ?? ''
  return TEXTS[name] ?? getSystemErrorMap().get(-errno)?.[1] ?? `Unknown error ${errno}`
}

/**
 * What Python's `str(OSError)` gives, for example `[Errno 111] Connection refused`.
 * @param errno the operating system's positive error number
 */
export function errnoText(errno: number): string {
  return `[Errno ${errno}] ${textOf(errno)}`
}

/** What Python says to a name that was not found. */
export function lookupText(error: NodeJS.ErrnoException): string {
  return LOOKUP_TEXTS[error.code ?? ''] ?? error.message
}

/**
 * The error as Node's own modules would throw it.
 * @param errno the operating system's positive error number
 * @param syscall what was tried: `connect`, `read` or `write`
 * @param where `address:port`, or a path
 */
export function systemError(errno: number, syscall: string, where: string): SystemError {
  const name = nameOf(errno) ?? `E${errno}`
  const error = new Error(`${syscall} ${name} ${where}`) as SystemError
  error.code = name
  error.errno = -errno
  error.syscall = syscall
  const colon = where.lastIndexOf(':')
  if (colon > 0) {
    error.address = where.slice(0, colon).replace(/^\[(.*)\]$/, '$1')
    error.port = Number(where.slice(colon + 1))
  }
  return error
}
