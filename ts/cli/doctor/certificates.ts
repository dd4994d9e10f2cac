import { once } from 'node:events'
import type { Duplex } from 'node:stream'
import {
  type ConnectionOptions,
  checkServerIdentity,
  connect,
  type DetailedPeerCertificate,
  type TLSSocket,
} from 'node:tls'
import { tlsHost } from '../../transports/native-tls.js'
import { nodeTlsFault, tlsError } from '../../transports/tls-errors.js'
import { Fault, type Finding } from './checklist.js'

const DAY = 24 * 60 * 60 * 1000

/** A certificate that is valid for fewer days is mentioned. */
const SOON = 30

/**
 * Shakes hands without a check, so that there is something to be looked at, and checks then.
 * @param isNameChecked false with `--insecure`
 */
export async function examineTls(
  stream: Duplex,
  hostname: string,
  where: string,
  options: ConnectionOptions,
  isNameChecked: boolean,
): Promise<Finding<null>> {
  const secured = connect({
    ...options,
    ...tlsHost(hostname, options),
    socket: stream,
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
  })
  try {
    await once(secured, 'secureConnect')
    return report(secured, hostname, where, options, isNameChecked)
  } catch (error) {
    throw error instanceof Fault ? error : handshakeFault(error, where)
  } finally {
    secured.on('error', () => {})
    secured.destroy()
  }
}

/** Whether a server speaks TLS, asked without any check. */
export async function speaksTls(stream: Duplex): Promise<boolean> {
  const secured = connect({ socket: stream, rejectUnauthorized: false })
  secured.on('error', () => {})
  try {
    return await new Promise<boolean>((resolve) => {
      secured.once('secureConnect', () => resolve(true))
      secured.once('error', () => resolve(false))
      secured.once('close', () => resolve(false))
    })
  } finally {
    secured.destroy()
  }
}

function report(
  secured: TLSSocket,
  hostname: string,
  where: string,
  options: ConnectionOptions,
  isNameChecked: boolean,
): Finding<null> {
  const chain = chainOf(secured.getPeerCertificate(true))
  const details = chain.flatMap(describe)
  const [leaf] = chain
  if (leaf === undefined)
    return { text: `${summary(secured)}, by a key and without certificates`, value: null }
  const code = String((secured.authorizationError as unknown as NodeJS.ErrnoException | null) ?? '')
  if (!secured.authorized && options.rejectUnauthorized !== false) {
    const fault = nodeTlsFault(Object.assign(new Error(code), { code }))
    const text = fault === null ? code : tlsError(fault, where).message
    throw new Fault(translate(text), details)
  }
  const mismatch = checkServerIdentity(tlsHost(hostname, options).host, leaf)
  if (mismatch !== undefined && isNameChecked) {
    throw new Fault(`the certificate is not for ${hostname}`, [
      `It is for ${leaf.subjectaltname ?? leaf.subject.CN}.`,
      'Connect by one of these names, or give --insecure not to check it.',
      ...details,
    ])
  }
  return { text: `${summary(secured)}, the certificate is good`, details, value: null }
}

function summary(secured: TLSSocket): string {
  return `${secured.getProtocol()}, ${secured.getCipher().name}`
}

/** From the broker's own certificate up to the one that vouches for itself. */
function chainOf(leaf: DetailedPeerCertificate): DetailedPeerCertificate[] {
  const chain: DetailedPeerCertificate[] = []
  let next: DetailedPeerCertificate | undefined = leaf
  while (next?.raw !== undefined && !chain.some(({ raw }) => next?.raw.equals(raw))) {
    chain.push(next)
    next = next.issuerCertificate
  }
  return chain
}

function describe({
  subject,
  issuer,
  subjectaltname,
  valid_from,
  valid_to,
}: DetailedPeerCertificate): string[] {
  const names = subjectaltname === undefined ? '' : ` for ${subjectaltname}`
  const days = Math.floor((Date.parse(valid_to) - Date.now()) / DAY)
  const end = new Date(valid_to).toISOString().slice(0, 10)
  const state =
    days < 0
      ? `EXPIRED on ${end}`
      : Date.parse(valid_from) > Date.now()
        ? `NOT VALID before ${new Date(valid_from).toISOString().slice(0, 10)}`
        : `valid until ${end}${days < SOON ? `, only ${days} days` : ''}`
  return [`${nameOf(subject)}${names}, issued by ${nameOf(issuer)}, ${state}`]
}

function nameOf(name: { CN?: string | string[]; O?: string | string[] } | undefined): string {
  return String(name?.CN ?? name?.O ?? 'nobody')
}

function handshakeFault(error: unknown, where: string): Fault {
  const fault = nodeTlsFault(error)
  if (fault !== null) return new Fault(translate(tlsError(fault, where).message))
  return new Fault(`the connection was closed in the middle of the handshake (${(error as Error).message})`, [
    'Does the broker speak TLS there? Its port for it is usually 8883; without TLS, use mqtt: or ws:.',
  ])
}

/** Options by the names that they have here. */
function translate(text: string): string {
  return text
    .replaceAll('caCerts (tlsContext: ca)', '--cafile')
    .replaceAll('tlsInsecure: true', '--insecure')
    .replaceAll('certfile and keyfile', '--cert and --key')
    .replaceAll('see tlsVersion', 'see --tls-version')
}
