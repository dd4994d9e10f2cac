import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Client, type ClientOptions, type Message, type SubscribeTopic } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { forEachFew, runCommand, startCommand, startMosquitto } from '../helpers/command-line.js'
import { type Listeners, listenEverywhere, sharedKey } from '../helpers/listeners.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ listeners: Listeners }>

test.before(async (t) => {
  const listeners = await listenEverywhere()
  const trusted = join(listeners.folder, 'trusted')
  await mkdir(trusted)
  await writeFile(join(trusted, 'root.crt'), listeners.root.certificate)
  t.context = { listeners }
})
test.after.always((t) => t.context.listeners?.stop())

/** A subscriber that is ready. */
async function subscriber(
  t: ExecutionContext<{ listeners: Listeners }>,
  filter: SubscribeTopic,
  options: ClientOptions = {},
): Promise<Client> {
  const client = await Client.connect('127.0.0.1', t.context.listeners.broker.port, options)
  t.teardown(() => client.disconnect())
  await client.subscribe(filter, { qos: 2 })
  return client
}

async function take(client: Client, count: number): Promise<Message[]> {
  const messages: Message[] = []
  while (messages.length < count) {
    const { value } = await client.messages.next({ signal: AbortSignal.timeout(10_000) })
    if (value !== undefined) messages.push(value)
  }
  return messages
}

test.serial('-m, -f, -s and -n publish exactly their bytes', async (t) => {
  const { broker, folder } = t.context.listeners
  const client = await subscriber(t, 'pub/sources')
  const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256))
  const file = join(folder, 'payload')
  await writeFile(file, bytes)
  const place = ['pub', '-p', broker.port, '-t', 'pub/sources']
  const ends = [
    await runCommand(t, [...place, '-m', 'grüße']),
    await runCommand(t, [...place, '-f', file, '-q', 1]),
    await runCommand(t, [...place, '-s'], { input: bytes }),
    await runCommand(t, [...place, '-n']),
  ]
  for (const { code, output, errors } of ends) t.deepEqual([code, String(output), errors], [0, '', ''])
  const payloads = (await take(client, 4)).map(({ payload }) => payload)
  t.deepEqual(payloads, [Buffer.from('grüße'), bytes, bytes, Buffer.alloc(0)])
})

test.serial('-l publishes lines as mosquitto_pub does', async (t) => {
  const received: string[][] = []
  for (const tool of ['aiomqtt', 'mosquitto'] as const) {
    const topic = `pub/lines/${tool}`
    const client = await subscriber(t, topic)
    const args = ['-p', t.context.listeners.broker.port, '-t', topic, '-l', '-q', 1]
    const started = tool === 'aiomqtt' ? startCommand(t, ['pub', ...args]) : startMosquitto(t, 'pub', args)
    started.input.end('one\n\n three \r\nfour\n')
    t.is((await started.ended).code, 0)
    received.push((await take(client, 4)).map((message) => message.text()))
  }
  const [ours, theirs] = received
  t.deepEqual(ours, ['one', '', ' three \r', 'four'])
  t.deepEqual(ours, theirs)
})

test.serial(
  '-l publishes bytes that are no text, and a last line without an end, in which mosquitto_pub fails',
  async (t) => {
    const client = await subscriber(t, 'pub/bytes')
    const args = ['pub', '-p', t.context.listeners.broker.port, '-t', 'pub/bytes', '-l']
    const { code } = await runCommand(t, args, { input: Buffer.from('\xff\x00\x01\nlast', 'latin1') })
    t.is(code, 0)
    const payloads = (await take(client, 2)).map(({ payload }) => payload.toString('latin1'))
    t.deepEqual(payloads, ['\xff\x00\x01', 'last'])
  },
)

test.serial('a pipe of lines flows without filling memory', async (t) => {
  const line = `${'x'.repeat(99)}\n`
  const block = line.repeat(10_000)
  // A broker that logs no packets.
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const args = ['pub', '-p', broker.port, '-t', 'pub/pipe', '-l', '--count']
  const { input, ended } = startCommand(t, args, { NODE_OPTIONS: '--max-old-space-size=32' })
  for (let written = 0; written < 20; written++) {
    if (!input.write(block)) await new Promise((resolve) => input.once('drain', resolve))
  }
  input.end()
  const { code, output, errors } = await ended
  t.deepEqual([code, String(output), errors], [0, '200000\n', ''])
})

test.serial('options say what is published and how', async (t) => {
  const client = await subscriber(t, [['pub/options', { qos: 2, retainAsPublished: true }]], { protocol: 5 })
  const { broker } = t.context.listeners
  const { code } = await runCommand(t, [
    ...['pub', '-L', `mqtt://127.0.0.1:${broker.port}/pub/options`, '-m', '{}', '-q', 2, '-r', '--repeat', 2],
    ...['-D', 'publish', 'content-type', 'application/json', '-D', 'PUBLISH', 'user-property', 'a', 'b'],
    ...['-D', 'publish', 'message-expiry-interval', '60'],
  ])
  t.is(code, 0)
  for (const { qos, retain, properties, payload } of await take(client, 2)) {
    t.deepEqual([qos, retain, String(payload)], [2, true, '{}'])
    t.is(properties?.contentType, 'application/json')
    t.deepEqual(properties?.userProperty, [['a', 'b']])
  }
})

test.serial('a will is published when the client goes without a word', async (t) => {
  const client = await subscriber(t, 'pub/will')
  const { broker } = t.context.listeners
  const started = startCommand(t, [
    ...['pub', '-p', broker.port, '-t', 'pub/none', '-l', '-i', 'pub-will', '-k', 7],
    ...['--will-topic', 'pub/will', '--will-payload', 'gone', '--will-qos', 1],
  ])
  await broker.logged(/pub-will \(p2, c1, k7/)
  started.process.kill('SIGKILL')
  const [message] = await take(client, 1)
  t.deepEqual([message?.text(), message?.qos], ['gone', 1])
})

const ways: Array<[name: string, args: (listeners: Listeners) => Array<string | number>]> = [
  ['a unix socket', ({ unix }) => ['--unix', unix]],
  ['TLS', ({ tls, folder }) => ['-h', 'localhost', '-p', tls, '--cafile', join(folder, 'ca')]],
  ['TLS, mqtts:', ({ tls, folder }) => ['-L', `mqtts://localhost:${tls}`, '--cafile', join(folder, 'ca')]],
  [
    'TLS, options',
    ({ tls, folder }) => [
      ...['-p', tls, '--cafile', join(folder, 'ca'), '--tls-version', 'tlsv1.2', '--insecure'],
      ...[
        '--ciphers',
        'ECDHE-ECDSA-AES256-GCM-SHA384',
        '--tls-alpn',
        'mqtt',
        '--capath',
        join(folder, 'trusted'),
      ],
    ],
  ],
  ['PSK', ({ psk }) => ['-p', psk, '--psk', sharedKey.hex, '--psk-identity', sharedKey.identity]],
  ['WebSocket', ({ webSocket }) => ['-p', webSocket, '--ws']],
  [
    'wss:',
    ({ secureWebSocket, folder }) => [
      ...['-L', `wss://localhost:${secureWebSocket}/mqtt`, '--cafile', join(folder, 'ca')],
    ],
  ],
]
test.serial('it publishes over every way to the broker', async (t) => {
  const client = await subscriber(t, 'pub/ways/#')
  await forEachFew(ways, async ([name, args]) => {
    const topic = `pub/ways/${name.replaceAll(/\W/g, '')}`
    const { code, errors } = await runCommand(t, [
      ...['pub', ...args(t.context.listeners)],
      ...['-t', topic, '-m', name, '-q', 1],
    ])
    t.deepEqual([code, errors], [0, ''], name)
  })
  const names = (await take(client, ways.length)).map((message) => message.text())
  t.deepEqual(names.sort(), ways.map(([name]) => name).sort())
})

const mistakes: Array<[args: Array<string | number>, message: RegExp]> = [
  [['-m', 'a'], /^Error: There must be a topic: -t$/m],
  [['-t', 'a'], /^Error: There must be one of -m, -f, -n, -s and -l$/m],
  [['-t', 'a', '-m', 'b', '-n'], /^Error: There must be one of/m],
  [['-t', 'a/#', '-m', 'b'], /^Error: .*wildcard/im],
  [['-t', 'a', '-m', 'b', '-q', 3], /^Error: option '-q, --qos <qos>' argument '3' is invalid/m],
  [['-t', 'a', '-m', 'b', '-V', 'mqttv4'], /^Error: -V must be one of .*, not mqttv4$/m],
  [['-t', 'a', '-m', 'b', '-V', '311', '-D', 'publish', 'content-type', 'x'], /^Error: -D needs MQTT 5/m],
  [
    ['-t', 'a', '-m', 'b', '-D', 'disconnect', 'user-property', 'a', 'b'],
    /^Error: -D disconnect is not supported/m,
  ],
  [['-t', 'a', '-m', 'b', '-S'], /^Error: -S is not supported: /m],
  [['-t', 'a', '-m', 'b', '--tls-engine', 'tpm2'], /^Error: --tls-engine is not supported: /m],
  [['-t', 'a', '-m', 'b', '--keyform', 'engine'], /^Error: --keyform engine is not supported: /m],
  [['-t', 'a', '-m', 'b', '--insecure'], /^Error: --insecure needs TLS/m],
  [['-t', 'a', '-m', 'b', '-P', 'secret'], /^Error: -P needs a user name: -u$/m],
  [['-t', 'a', '-m', 'b', '-c'], /^Error: -c needs a client identifier: -i$/m],
  [['-t', 'a', '-m', 'b', '-x', 5], /^Error: -x needs MQTT 5/m],
  [['-t', 'a', '-f', '/nonexistent'], /^Error: -f cannot be read: ENOENT/m],
  [['-t', 'a', '-m', 'b', '-L', 'http://localhost'], /^Error: -L must be a URL that begins with/m],
  [['-t', 'a', '-m', 'b', '--nonsense'], /^Error: unknown option '--nonsense'\nSee aiomqtt pub --help$/m],
]
test.serial('mistakes in options are refused, before anything is done', async (t) => {
  await forEachFew(mistakes, async ([args, message]) => {
    const { code, output, errors } = await runCommand(t, ['pub', '-p', 1, ...args])
    t.deepEqual([code, String(output)], [1, ''], args.join(' '))
    t.regex(errors, message)
    t.notRegex(errors, /^ {4}at /m)
  })
})

test.serial('what goes wrong is one line and an exit code', async (t) => {
  const refused = await runCommand(t, ['pub', '-p', 1, '-t', 'a', '-m', 'b'])
  t.is(refused.code, 1)
  t.regex(refused.errors, /^Error: .*Connection refused.*\n$/)
  const quiet = await runCommand(t, ['pub', '-p', 1, '-t', 'a', '-m', 'b', '--quiet'])
  t.deepEqual([quiet.code, quiet.errors], [1, ''])
})

for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test.serial(`${name} ends -l with DISCONNECT and exit code ${code}`, async (t) => {
    const { broker } = t.context.listeners
    const id = `pub-${name}`
    const started = startCommand(t, ['pub', '-p', broker.port, '-t', 'a', '-l', '-i', id])
    started.input.write('a line\n')
    await broker.logged(new RegExp(`Received PUBLISH from ${id}`))
    started.process.kill(name)
    const ended = await started.ended
    t.deepEqual([ended.code, ended.errors], [code, ''])
    await broker.logged(new RegExp(`Received DISCONNECT from ${id}`))
  })
}
