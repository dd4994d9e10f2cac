import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import { createServer as createHttp } from 'node:http'
import type { AddressInfo, Server as NetServer } from 'node:net'
import { join } from 'node:path'
import { createServer as createTls } from 'node:tls'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { Authority, type Identity } from '../helpers/certificates.js'
import { forEachFew, runCommand, startCommand } from '../helpers/command-line.js'
import { SilentServer } from '../helpers/gateway.js'
import { type Listeners, listenEverywhere, sharedKey } from '../helpers/listeners.js'
import { freePort, Mosquitto } from '../helpers/mosquitto.js'
import { microsocks, type Server, tinyproxy } from '../helpers/servers.js'

interface Context {
  listeners: Listeners
  http: Server
  socks: Server
}

const test = anyTest as TestFn<Context>

test.before(async (t) => {
  const listeners = await listenEverywhere()
  await writeFile(join(listeners.folder, 'client'), listeners.client.certificate)
  await writeFile(join(listeners.folder, 'client.key'), listeners.client.key)
  const login = { user: 'me', password: 'my-password' }
  t.context = { listeners, http: await tinyproxy(login), socks: await microsocks(login) }
})
test.after.always(async ({ context: { listeners, http, socks } }) => {
  for (const server of [http, socks, listeners]) await server?.stop()
})

/** Runs it; what it says without the times. */
async function examine(
  t: ExecutionContext<Context>,
  args: Array<string | number>,
): Promise<{ code: number | null; text: string }> {
  const { code, output, errors } = await runCommand(t, ['doctor', ...args])
  t.is(errors, '')
  return { code, text: String(output).replaceAll(/ \(\d+\.\d ms\)$/gm, '') }
}

const good: Array<[name: string, steps: string, args: (context: Context) => Array<string | number>]> = [
  ['TCP', 'TCP', ({ listeners: { broker } }) => [`mqtt://127.0.0.1:${broker.port}`]],
  ['a name', 'name TCP', ({ listeners: { broker } }) => ['localhost', '-p', broker.port]],
  ['a unix socket', 'socket', ({ listeners: { unix } }) => ['--unix', unix]],
  [
    'TLS',
    'name TCP TLS',
    ({ listeners: { tls, folder } }) => [`mqtts://localhost:${tls}`, '--cafile', join(folder, 'ca')],
  ],
  [
    'TLS with a certificate of its own',
    'name TCP TLS',
    ({ listeners: { mutual, folder } }) => [
      ...['localhost', '-p', mutual, '--cafile', join(folder, 'ca')],
      ...['--cert', join(folder, 'client'), '--key', join(folder, 'client.key')],
    ],
  ],
  [
    'PSK',
    'TCP TLS',
    ({ listeners: { psk } }) => [
      ...['127.0.0.1', '-p', psk, '--psk', sharedKey.hex, '--psk-identity', sharedKey.identity],
    ],
  ],
  ['WebSocket', 'TCP WebSocket', ({ listeners: { webSocket } }) => [`ws://127.0.0.1:${webSocket}/mqtt`]],
  [
    'WebSocket over TLS',
    'TCP TLS WebSocket',
    ({ listeners: { secureWebSocket, folder } }) => [
      ...[`wss://127.0.0.1:${secureWebSocket}`, '--cafile', join(folder, 'ca')],
    ],
  ],
  [
    'an HTTP proxy',
    'proxy',
    ({ http, listeners: { broker } }) => [
      ...['127.0.0.1', '-p', broker.port, '--proxy', `http://me:my-password@${http.host}:${http.port}`],
    ],
  ],
  [
    'a SOCKS proxy',
    'proxy',
    ({ socks, listeners: { broker } }) => [
      ...['127.0.0.1', '-p', broker.port, '--proxy', `socks5h://me:my-password@${socks.host}:${socks.port}`],
    ],
  ],
]

test.serial('a good broker is good over every way', async (t) => {
  await forEachFew(good, async ([name, steps, args]) => {
    const { code, text } = await examine(t, [...args(t.context), '-V', 5, '-t', `doctor/${good.length}/x`])
    const lines = text.split('\n').filter((line) => /^[✔✘–]/.test(line))
    const done = lines.map((line) => line.slice(2).split(/ {2,}/)[0])
    t.deepEqual(done, [...steps.split(' '), 'MQTT 5', 'round trip'], name)
    t.true(
      lines.every((line) => line.startsWith('✔')),
      text,
    )
    t.is(code, 0, text)
    t.regex(text, /maximum packet size: /)
  })
})

test.serial('all versions are asked for, and what the broker announced is shown', async (t) => {
  const { code, text } = await examine(t, ['127.0.0.1', '-p', t.context.listeners.broker.port])
  t.is(code, 0)
  t.regex(text, /✔ MQTT 5 +accepted\n +receive maximum: 20\n/)
  t.regex(text, /assigned identifier: auto-/)
  t.regex(text, /✔ MQTT 3\.1\.1 +accepted\n✔ MQTT 3\.1 +accepted\n$/)
})

test.serial('nothing listens, nobody knows the name', async (t) => {
  const port = await freePort()
  const none = await examine(t, ['127.0.0.1', '-p', port])
  t.is(none.code, 1)
  t.regex(none.text, /^✘ TCP .*ECONNREFUSED. The host is there, but nothing listens on this port/)
  const unknown = await examine(t, ['broker.invalid'])
  t.is(unknown.code, 1)
  t.regex(unknown.text, /^✘ name +broker\.invalid has no address: E/)
  const socket = await examine(t, ['--unix', '/nonexistent/socket'])
  t.regex(socket.text, /^✘ socket +ENOENT\n +There is no such socket/)
})

test.serial('a server that is silent, and one that is an HTTP server', async (t) => {
  const silent = await SilentServer.listen()
  const http = createHttp((_request, response) => response.writeHead(404).end())
  const port = await listen(t, http)
  t.teardown(() => silent.close())
  const mute = await examine(t, ['127.0.0.1', '-p', silent.port, '--timeout', 0.5])
  t.is(mute.code, 1)
  t.regex(mute.text, /✘ MQTT 5 +no answer within 0\.3 s\n +Something accepts connections there/)
  const web = await examine(t, ['127.0.0.1', '-p', port])
  t.is(web.code, 1)
  t.regex(web.text, /✘ MQTT 5 +an HTTP server answered: HTTP\/1\.1 400 Bad Request\n/)
  const path = await examine(t, [`ws://127.0.0.1:${port}/wrong`])
  t.regex(path.text, /✘ WebSocket .*404.*\n +There is nothing at \/wrong: see --ws-path/)
})

test.serial('MQTT where there is TLS, and TLS where there is MQTT', async (t) => {
  const { tls, broker, folder } = t.context.listeners
  const plain = await examine(t, ['127.0.0.1', '-p', tls])
  t.is(plain.code, 1)
  t.regex(plain.text, /✘ MQTT 5 .*\n +(This port speaks TLS: use|Use) mqtts:/)
  const secure = await examine(t, [`mqtts://127.0.0.1:${broker.port}`, '--cafile', join(folder, 'ca')])
  t.is(secure.code, 1)
  t.regex(secure.text, /✘ TLS .*\n +Does the broker speak TLS there\?/)
})

test.serial('certificates that are not good', async (t) => {
  const root = Authority.root('Doctor Root')
  const ca = join(t.context.listeners.folder, 'doctor-root')
  await writeFile(ca, root.certificate)
  const day = 24 * 60 * 60 * 1000
  const expired = root.issue({ from: new Date(Date.now() - 9 * day), to: new Date(Date.now() - 2 * day) })
  const stranger = root.issue({ hosts: ['elsewhere.example'] })
  const own = Authority.root('self', ['127.0.0.1'])
  const results = new Map<Identity, string>()
  for (const identity of [expired, stranger, own]) {
    const port = await listen(t, createTls({ cert: identity.certificate, key: identity.key }))
    const { code, text } = await examine(t, [`mqtts://127.0.0.1:${port}`, '--cafile', ca])
    t.is(code, 1)
    results.set(identity, text)
  }
  t.regex(
    results.get(expired) ?? '',
    /✘ TLS .*certificate has expired.*must be renewed.*\n.*EXPIRED on \d{4}-/s,
  )
  t.regex(
    results.get(stranger) ?? '',
    /✘ TLS +the certificate is not for 127\.0\.0\.1\n.*DNS:elsewhere\.example/,
  )
  t.regex(results.get(own) ?? '', /✘ TLS .*self-signed certificate.*--cafile.*\n +self for .*issued by self/)
  const untrusted = await examine(t, [`mqtts://localhost:${t.context.listeners.tls}`])
  t.regex(untrusted.text, /✘ TLS .*certificate.*\n.*issued by Test Intermediate/)
})

test.serial('a refusal is explained', async (t) => {
  const broker = await Mosquitto.start({ users: { anna: 'right' } })
  t.teardown(() => broker.stop())
  const place = ['127.0.0.1', '-p', broker.port]
  const { code, text } = await examine(t, [...place, '-u', 'anna', '-P', 'wrong'])
  t.is(code, 1)
  t.regex(text, /✘ MQTT 5 +refused: Not authorized \(135\)\n +The broker wants a user name and a password/)
  t.notRegex(text, /wrong/)
  t.is((await examine(t, [...place, '-u', 'anna', '-P', 'right'])).code, 0)
})

test.serial('mistakes in its options, and SIGINT', async (t) => {
  const twice = await runCommand(t, ['doctor', 'localhost', '-h', 'localhost'])
  t.is(twice.code, 1)
  t.regex(twice.errors, /^Error: Only one of the argument, -h, -L and --unix/)
  const silent = await SilentServer.listen()
  t.teardown(() => silent.close())
  const started = startCommand(t, ['doctor', '127.0.0.1', '-p', silent.port])
  await started.said(/TCP/)
  started.process.kill('SIGINT')
  t.is((await started.ended).code, 130)
})

async function listen(t: ExecutionContext<Context>, server: NetServer): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return (server.address() as AddressInfo).port
}
