import { checkServerIdentity, type DetailedPeerCertificate, type TLSSocket } from 'node:tls'
import { nodeTlsFailure } from '../../failures/tls-failure.js'
import { tlsHost } from '../../transports/native-tls.js'
import { destroyLayers } from '../../transports/node-socket.js'
import { anyHost } from '../../transports/tls-options.js'
import type { Way } from '../../transports/way.js'
import { adviceOn } from '../advice.js'
import { Fault, type Finding } from './checklist.js'

const DAY = 24 * 60 * 60 * 1000

/** A certificate that is valid for fewer days is mentioned. */
const SOON = 30

/** Any certificate will do, so that it can be looked at. */
const UNCHECKED = { rejectUnauthorized: false, checkServerIdentity: anyHost }

/**
 * Shakes hands without a check, so that there is something to be looked at, and checks then.
 * @param isNameChecked false with `--insecure`
 */
export async function examineTls(
  way: Way,
  signal: AbortSignal,
  hostname: string,
  isNameChecked: boolean,
): Promise<Finding<true>> {
  const layers = await way.open('tls', signal, { ...way.tls, ...UNCHECKED })
  try {
    return report(layers.at(-1) as TLSSocket, way, hostname, isNameChecked)
  } finally {
    destroyLayers(layers)
  }
}

/** Whether a server speaks TLS, asked without any check. */
export async function speaksTls(way: Way, signal: AbortSignal): Promise<boolean> {
  try {
    destroyLayers(await way.open('tls', signal, UNCHECKED))
    return true
  } catch {
    return false
  }
}

function report(
  secured: TLSSocket,
  { tls, where }: Way,
  hostname: string,
  isNameChecked: boolean,
): Finding<true> {
  const options = tls ?? {}
  const chain = chainOf(secured.getPeerCertificate(true))
  const details = chain.flatMap(describe)
  const [leaf] = chain
  if (leaf === undefined)
    return { text: `${summary(secured)}, by a key and without certificates`, value: true }
  const code = String((secured.authorizationError as unknown as NodeJS.ErrnoException | null) ?? '')
  if (!secured.authorized && options.rejectUnauthorized !== false) {
    const failure = nodeTlsFailure(Object.assign(new Error(code), { code }), where)
    const text = failure === null ? code : [failure.text, ...adviceOn(failure)].join('. ')
    throw new Fault(text, details)
  }
  const mismatch = checkServerIdentity(tlsHost(hostname, options).host, leaf)
  if (mismatch !== undefined && isNameChecked) {
    throw new Fault(`the certificate is not for ${hostname}`, [
      `It is for ${leaf.subjectaltname ?? leaf.subject.CN}.`,
      'Connect by one of these names, or give --insecure not to check it.',
      ...details,
    ])
  }
  return { text: `${summary(secured)}, the certificate is good`, details, value: true }
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
