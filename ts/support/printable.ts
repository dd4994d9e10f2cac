/**
 * What must not reach a log or a terminal as it is: control characters (line ends, escape sequences of both kinds), the
 * separators of lines and paragraphs, and what turns the direction of a text round. Tabs may.
 */
const CONTROLS = /(?!\t)[\p{Cc}\p{Bidi_Control}\u2028\u2029]/gu

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r' }

/**
 * Text of others (a broker, a proxy, a publisher) as it may stand in an error, a log, and on a terminal: nobody forges a
 * line of a log, or takes a terminal over.
 */
export function printable(text: string): string {
  return text.replace(CONTROLS, (character) => NAMED[character] ?? escaped(character))
}

function escaped(character: string): string {
  const code = character.charCodeAt(0)
  return code < 0x100
    ? `\\x${code.toString(16).padStart(2, '0')}`
    : `\\u${code.toString(16).padStart(4, '0')}`
}

/** A part of a path; keys and tokens are longer without a separator. */
const LONGEST_PART = 39
/** So few characters are no key. */
const SHORT = 23

/**
 * Whether what was given as a path may be shown: not a private key, a token or a password that somebody has given in its
 * place, as PEM, DER, base64, base64url or hexadecimal digits.
 */
export function isPlainPath(value: string): boolean {
  if (value !== printable(value) || /[\t\ufffd]|-----|^\s*\{/.test(value)) return false
  if (value.length <= SHORT) return true
  const parts = value.split(/[\\/.]/)
  const areShort = parts.every((part) => part.length <= LONGEST_PART)
  const isWords = /[g-z]/.test(value) && !/[A-Z]/.test(value)
  const isAbsolute = /^(?:[A-Za-z]:)?[\\/]/.test(value) && value.length <= LONGEST_PART
  return isWords || (areShort && (value.includes('.') || isAbsolute))
}
