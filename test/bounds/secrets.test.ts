import { generateKeyPairSync } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import {
  Client,
  type ClientOptions,
  type Logger,
  PacketTypes,
  Properties,
  ProxySettings,
  TLSParameters,
} from 'aiomqtt'
import test, { type ExecutionContext } from 'ava'
import { clientOf, listening, paired, patience } from '../helpers/client.js'
import { within } from '../helpers/deadline.js'

const pem = (type: 'ed25519' | 'rsa'): string => {
  const encoding = { format: 'pem', type: 'pkcs8' } as const
  const keys =
    type === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ed25519')
  return String(keys.privateKey.export(encoding))
}
const rsa = pem('rsa')
const ed25519 = pem('ed25519')
const body = (text: string): string => text.split('\n').slice(1, -2).join('')
const der = (text: string): Buffer => Buffer.from(body(text), 'base64')

/** What programs put into a path by mistake, most often from an environment variable. */
const secrets: Record<string, string> = {
  'PEM without its first line': rsa.split('\n').slice(1).join('\n'),
  'the lines of a PEM file': rsa.split('\n').slice(1, -2).join('\n'),
  'one line of a PEM file': rsa.split('\n')[3] as string,
  'a key of one line': body(ed25519),
  'PEM in base64': Buffer.from(ed25519).toString('base64'),
  'PEM with its line ends escaped': rsa.replaceAll('\n', '\\n').replace('-----BEGIN ', '----BEGIN '),
  'DER in base64': body(rsa),
  'DER in base64url': der(rsa).toString('base64url'),
  'DER in hexadecimal digits': der(ed25519).toString('hex'),
  'DER in upper case digits': der(ed25519).toString('hex').toUpperCase(),
  'DER as text': der(rsa).toString('latin1').replaceAll('\0', ' '),
  'DER as UTF-8': der(rsa).toString().replaceAll('\0', ' '),
  'a JSON Web Key': JSON.stringify(generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' })),
  'a JSON Web Token': `${b64('{"alg":"HS256"}')}.${b64('{"sub":"device-17","iat":1516239022}')}.${'k3Y'.repeat(15)}`,
}

function b64(text: string): string {
  return Buffer.from(text).toString('base64url')
}

/** Everything that shows an object: none of it may have a part of the secret in it. */
function shows(value: unknown): string {
  const deep = { depth: 20, showHidden: true, getters: false, maxStringLength: null, maxArrayLength: null }
  const texts = [
    inspect(value, deep),
    inspect(value, { ...deep, customInspect: false }),
    inspect(value, { depth: 20, breakLength: Number.POSITIVE_INFINITY }),
    String(value),
  ]
  for (const each of causes(value)) texts.push(each.message, String(each.stack), safeJson(each))
  return [...texts, safeJson(value)].join('\n')
}

function causes(value: unknown): Error[] {
  const errors: Error[] = []
  for (let each = value; each instanceof Error; each = each.cause) errors.push(each)
  return errors
}

function safeJson(value: unknown): string {
  try {
    return JSON.stringify(value) ?? ''
  } catch {
    return ''
  }
}

/** Whether a text has a part of a secret in it: each sixteen characters in a row, however they are escaped. */
function hides(t: ExecutionContext, text: string, secret: string, what: string): void {
  for (let at = 0; at + 16 <= secret.length; at += 8) {
    const part = secret.slice(at, at + 16)
    for (const form of [part, JSON.stringify(part).slice(1, -1)]) {
      t.false(text.includes(form), `${what} shows ${JSON.stringify(form)}`)
    }
  }
}

test('a key that is given in the place of a path is in no error', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'aiomqtt-'))
  t.teardown(() => rm(folder, { recursive: true }))
  const certfile = join(folder, 'client.pem')
  writeFileSync(certfile, '-----BEGIN CERTIFICATE-----\nnone\n-----END CERTIFICATE-----\n')
  for (const [name, secret] of Object.entries(secrets)) {
    for (const option of ['keyfile', 'certfile', 'caCerts'] as const) {
      const tlsParams = { ...(option === 'keyfile' ? { certfile } : {}), [option]: secret }
      const client = new Client('127.0.0.1', 1, { timeout: 5, tlsParams })
      const error = await within(patience, name, t.throwsAsync(client.connect()))
      hides(t, shows(error), secret, `the error for ${name} as ${option}`)
      t.regex(String(error?.message), new RegExp(`${option}: \\d+ characters`), name)
    }
  }
})

test('a path that is wrong is in the error', async (t) => {
  const paths = [
    'nosuch.pem',
    '/etc/no/such/key',
    './certs/client-0001.key',
    'C:\\certificates\\client.key',
    '/var/run/secrets/tokens/mqtt-client-certificate-and-its-private-key',
    `/opt/${'deep/'.repeat(20)}device-key.pem`,
  ]
  for (const keyfile of paths) {
    const client = new Client('127.0.0.1', 1, { tlsParams: { keyfile, certfile: keyfile } })
    const error = await within(patience, keyfile, t.throwsAsync(client.connect()))
    t.true(error?.message.includes(keyfile), error?.message)
  }
})

test('parameters of TLS show no key, whatever is given as one', (t) => {
  for (const [name, secret] of Object.entries({ ...secrets, PEM: rsa })) {
    const parameters = new TLSParameters({
      caCerts: secret,
      certfile: secret,
      keyfile: secret,
      keyfilePassword: secret,
    })
    t.is(parameters.keyfile, secret)
    hides(t, shows(parameters), secret, name)
    hides(t, shows({ nested: [parameters] }), secret, name)
  }
  const paths = { caCerts: 'ca.pem', certfile: 'client.pem', keyfile: '/etc/ssl/client.key' }
  t.like(JSON.parse(JSON.stringify(new TLSParameters(paths))), paths)
})

const PASSWORD = 'correct-horse-battery-staple-0123456789'

test('no object and no log line of a client shows what authenticates', async (t) => {
  const lines: string[] = []
  const keep = (line: string): unknown => lines.push(line)
  const logger: Logger = { pahoTrace: true, debug: keep, info: keep, warn: keep, error: keep }
  const data = Buffer.from(PASSWORD)
  const options: ClientOptions = {
    protocol: 5,
    logger,
    username: 'user',
    password: PASSWORD,
    authentication: { method: 'SCRAM', data, respond: () => data },
    reconnect: { minDelay: 0.01, maxAttempts: 1 },
    timeout: 1,
  }
  const peer = await listening(t)
  const client = clientOf(t, peer, options)
  const connecting = client.connect()
  hides(t, shows(client), PASSWORD, 'a client that connects')
  const session = await peer.accept()
  await session.next('connect')
  session.send({
    cmd: 'connack',
    sessionPresent: false,
    reasonCode: 0,
    properties: { authenticationMethod: 'SCRAM', authenticationData: data },
  })
  await within(patience, 'connecting', connecting)
  hides(t, shows(client), PASSWORD, 'a connected client')
  const hex = data.toString('hex')
  hides(t, shows(client), hex, 'a connected client')
  const waiting = t.throwsAsync(client.messages.next())
  const calling = t.throwsAsync(client.publish('a', 'b', { qos: 1 }))
  peer.close()
  for (const error of [
    await within(patience, 'the end', waiting),
    await within(patience, 'the call', calling),
  ]) {
    hides(t, shows(error), PASSWORD, 'an error')
    hides(t, shows(error), hex, 'an error')
  }
  for (const line of lines) {
    hides(t, line, PASSWORD, 'a log line')
    hides(t, line, hex, 'a log line')
  }
})

test('properties, proxies and URLs show no secret either', async (t) => {
  const properties = Properties.from(PacketTypes.AUTH, {
    authenticationMethod: 'm',
    authenticationData: Buffer.from(PASSWORD),
  })
  hides(t, shows(properties), PASSWORD, 'properties')
  hides(t, shows(properties), Buffer.from(PASSWORD).toString('hex'), 'properties')
  const settings = { proxyType: 'socks5', proxyAddr: '127.0.0.1', proxyUsername: PASSWORD } as const
  const proxy = new ProxySettings({ ...settings, proxyPassword: PASSWORD, proxyPort: 1 })
  hides(t, shows(proxy), PASSWORD, 'proxy settings')
  for (const proxyType of ['socks5', 'http'] as const) {
    const options = { proxy: { ...settings, proxyType, proxyPassword: PASSWORD, proxyPort: 1 } }
    const client = new Client('127.0.0.1', 1, options)
    hides(t, shows(client), PASSWORD, 'a client')
    hides(t, shows(await t.throwsAsync(client.connect())), PASSWORD, `the error of ${proxyType}`)
  }
  // What somebody has put where a host name belongs.
  for (const place of [`user:${PASSWORD}@127.0.0.1`, `${PASSWORD}@127.0.0.1`]) {
    hides(t, shows(t.throws(() => new Client(place))), PASSWORD, 'the error for a host name')
    const wrong = { proxy: { ...settings, proxyUsername: null, proxyAddr: place } }
    hides(t, shows(t.throws(() => new Client('127.0.0.1', wrong))), PASSWORD, 'the error for a proxy')
  }
  for (const url of [
    `mqtt://user:${PASSWORD}@[bad`,
    `ftp://user:${PASSWORD}@host`,
    `mqtt://u:${PASSWORD}@h/#x`,
  ]) {
    hides(t, shows(t.throws(() => new Client(url))), PASSWORD, 'the error for a URL')
  }
  const { peer } = await paired(t)
  const websocket: ClientOptions = {
    transport: 'websockets',
    websocketPath: `/mqtt?X-Amz-Signature=${PASSWORD}`,
    websocketHeaders: { Authorization: `Bearer ${PASSWORD}` },
    timeout: 0.2,
  }
  const client = clientOf(t, peer, websocket)
  hides(t, shows(client), PASSWORD, 'a client')
  hides(t, shows(await t.throwsAsync(client.connect())), PASSWORD, 'the error of a WebSocket')
  const tlsContext = { key: rsa, cert: rsa, passphrase: PASSWORD, rejectUnauthorized: false }
  const secure = clientOf(t, peer, { tlsContext, timeout: 0.2 })
  hides(t, shows(secure), PASSWORD, 'a client')
  const failure = shows(await t.throwsAsync(secure.connect()))
  hides(t, failure, PASSWORD, 'the error of TLS')
  hides(t, failure, rsa, 'the error of TLS')
  const wrong = { tlsContext: { ...tlsContext, passphrase: 1234567890123456 as unknown as string } }
  const typed = await new Promise((resolve) => {
    try {
      clientOf(t, peer, { ...wrong, timeout: 0.2 })
        .connect()
        .catch(resolve)
    } catch (error) {
      resolve(error)
    }
  })
  hides(t, shows(typed), '1234567890123456', 'the error for a password of the wrong type')
})
