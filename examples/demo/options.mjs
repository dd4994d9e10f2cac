// The demo's command line.

import { parse, UsageError, wholeNumber } from '../command-line.mjs'

export const help = `Usage: npm run demo -- [options]

A fleet of simulated devices publishes telemetry, an ingest service consumes it, and at the end the numbers must
add up. Without --broker, a broker written in JavaScript (aedes) runs beside it in a thread of its own.

Options:
  --broker <url>       use this broker: mqtt://[user[:password]@]host[:port]
  --seconds <n>        how long to publish, in seconds (default 10)
  --devices <n>        how many devices, each with a topic of its own (default 300)
  --connections <n>    over how many connections they publish (default 4)
  --qos <0|1|2>        the QoS of publishing and of the subscription (default 0)
  --help               show this

Exit code: 0 when everything that was sent has arrived, 1 when something was lost or went wrong, 2 for a mistake on
the command line.`

const definitions = {
  broker: { type: 'string' },
  seconds: { type: 'string', default: '10' },
  devices: { type: 'string', default: '300' },
  connections: { type: 'string', default: '4' },
  qos: { type: 'string', default: '0' },
  help: { type: 'boolean', default: false },
}

/**
 * @typedef {object} Options
 * @property {{ hostname: string, port: number, username?: string, password?: string } | null} broker null: embedded
 * @property {number} seconds
 * @property {number} devices
 * @property {number} connections
 * @property {0 | 1 | 2} qos
 * @property {boolean} help
 */

/**
 * @param {string[]} args
 * @returns {Options}
 * @throws {UsageError} for unknown options and values that are out of range
 */
export function readOptions(args) {
  const values = parse(args, definitions)
  const devices = wholeNumber('devices', values.devices, 1, 10_000)
  return {
    broker: values.broker === undefined ? null : brokerFromUrl(values.broker),
    seconds: wholeNumber('seconds', values.seconds, 1, 86_400),
    devices,
    connections: Math.min(devices, wholeNumber('connections', values.connections, 1, 1000)),
    qos: wholeNumber('qos', values.qos, 0, 2),
    help: values.help,
  }
}

function brokerFromUrl(text) {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url?.protocol !== 'mqtt:' || url.hostname === '') {
    throw new UsageError(`--broker must be a URL like mqtt://localhost:1883, not '${text}'.`)
  }
  return {
    // A URL writes an IPv6 address in brackets; the client wants the address.
    hostname: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? 1883 : Number(url.port),
    ...(url.username !== '' && { username: decodeURIComponent(url.username) }),
    ...(url.password !== '' && { password: decodeURIComponent(url.password) }),
  }
}
