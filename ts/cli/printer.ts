import type { Command } from 'commander'
import { CommandError } from './command-error.js'
import { compileFormat, type Printer } from './format.js'
import { messageLine } from './message-json.js'

/** What the options for the output say. */
export interface OutputFlags {
  verbose?: boolean
  F?: string
  N?: boolean
  pretty?: boolean
  json?: boolean
}

const NEWLINE = 0x0a
const SPACE = 0x20

/** The language of -F, for `--help`. */
export const FORMAT_HELP = `
-F: %t topic, %p payload, %x %X payload in hex, %l its length, %q QoS, %r retained, %m packet identifier, %j JSON,
%J JSON with a JSON payload, %I ISO 8601 time, %U Unix time, %C content type, %D correlation data, %E message expiry
interval, %F payload format indicator, %P user properties, %R response topic, %S subscription identifier, %% percent;
%-10t %010l widths, %.5t most characters; @Y-@m-@d and the like by strftime, @N nanoseconds; \\n \\t \\0 \\e ...`

/** Adds the options of mosquitto_sub for how messages are printed, and `--json`. */
export function addOutputOptions(command: Command): Command {
  return command
    .optionsGroup('Output:')
    .option('-v, --verbose', 'print the topic before the payload')
    .option('-F <format>', 'how to print a message, see below')
    .option('-N', 'no newline after a message')
    .option('--pretty', 'spread the JSON of %j and %J over several lines')
    .option('--json', 'a line of JSON for each message, for programs: what is not UTF-8 is payload_base64')
}

/**
 * How messages are printed.
 * @throws {CommandError} options that contradict each other, or a format that is none
 */
export function printerOf({ F, verbose, N, pretty, json }: OutputFlags): Printer {
  if (json && (F !== undefined || pretty)) {
    throw new CommandError('--json cannot be used together with -F or --pretty')
  }
  const hasEnd = !N
  if (json) return withEnd((message, output, moment) => output.text(messageLine(message, moment)), true)
  if (F !== undefined) return withEnd(compileFormat(F, pretty ?? false), hasEnd)
  return verbose ? printVerbose(hasEnd) : printPayload(hasEnd)
}

function withEnd(print: Printer, hasEnd: boolean): Printer {
  if (!hasEnd) return print
  return (message, output, moment) => {
    print(message, output, moment)
    output.byte(NEWLINE)
  }
}

/** As mosquitto_sub: an empty payload has no line. */
function printPayload(hasEnd: boolean): Printer {
  return ({ payload }, output) => {
    if (payload.length === 0) return
    output.foreign(payload)
    if (hasEnd) output.byte(NEWLINE)
  }
}

/** As mosquitto_sub: an empty payload is `(null)`, and nothing at all with -N. */
function printVerbose(hasEnd: boolean): Printer {
  return ({ topic, payload }, output) => {
    if (payload.length === 0 && !hasEnd) return
    output.foreign(topic.value)
    output.byte(SPACE)
    if (payload.length === 0) output.text('(null)')
    else output.foreign(payload)
    if (hasEnd) output.byte(NEWLINE)
  }
}
