import { execFile } from 'node:child_process'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import anyTest, { type TestFn } from 'ava'
import { type Listeners, listenEverywhere, sharedKey } from '../helpers/listeners.js'
import { microsocks, type Server, tinyproxy } from '../helpers/servers.js'

interface Context {
  listeners: Listeners
  http: Server
  socks: Server
}

const test = anyTest as TestFn<Context>
const examples = fileURLToPath(new URL('../../../examples/transports/', import.meta.url))

test.before(async (t) => {
  const listeners = await listenEverywhere()
  const { folder, client } = listeners
  await writeFile(join(folder, 'client'), client.certificate)
  await writeFile(join(folder, 'client.key'), client.key)
  const login = { user: 'me', password: 'my-password' }
  t.context = { listeners, http: await tinyproxy(login), socks: await microsocks(login) }
})
test.after.always(async ({ context: { listeners, http, socks } }) => {
  for (const server of [http, socks, listeners]) await server?.stop()
})

const runs: Array<[name: string, args: (context: Context) => Array<string | number>]> = [
  ['tcp', ({ listeners }) => ['localhost', listeners.broker.port]],
  ['unix-socket', ({ listeners }) => [listeners.unix]],
  ['tls', ({ listeners: { tls, folder } }) => ['localhost', tls, join(folder, 'ca')]],
  [
    'tls',
    ({ listeners: { mutual, folder } }) => [
      ...['localhost', mutual],
      ...['ca', 'client', 'client.key'].map((name) => join(folder, name)),
    ],
  ],
  ['tls-context', ({ listeners: { psk } }) => ['localhost', psk, sharedKey.identity, sharedKey.hex]],
  ['websocket', ({ listeners }) => ['localhost', listeners.webSocket]],
  ['proxy', ({ listeners, http }) => ['localhost', listeners.broker.port, 'http', http.host, http.port]],
  ['proxy', ({ listeners, socks }) => ['localhost', listeners.broker.port, 'socks5', socks.host, socks.port]],
  ['stream', ({ listeners }) => ['localhost', listeners.broker.port]],
  ['url', ({ listeners }) => [`ws://localhost:${listeners.webSocket}/mqtt`]],
]

for (const [index, [name, args]] of runs.entries()) {
  test.serial(`examples/transports/${name}.mjs works (${index + 1})`, async (t) => {
    const env = { ...process.env, PROXY_USER: 'me', PROXY_PASSWORD: 'my-password' }
    const run = promisify(execFile)
    const { stdout, stderr } = await run(
      process.execPath,
      [join(examples, `${name}.mjs`), ...args(t.context).map(String)],
      {
        env,
        timeout: 20_000,
      },
    )
    t.regex(stdout, /^Published .*\n$/)
    t.is(stderr, '')
  })
}
