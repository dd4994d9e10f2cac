import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { nextMessages } from '../helpers/client.js'
import { runCommand, startCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

interface Reading {
  device: number
  count: number
  warm: number
  text: string
  at: string
}

const test = anyTest as TestFn<{ broker: Mosquitto; client: Client; folder: string }>

test.beforeEach(async (t) => {
  const broker = await Mosquitto.start({ packets: true })
  const client = await Client.connect(broker.host, broker.port)
  t.context = { broker, client, folder: mkdtempSync(join(tmpdir(), 'aiomqtt-simulate-')) }
})
test.afterEach.always(async (t) => {
  await t.context.client?.disconnect()
  await t.context.broker?.stop()
  rmSync(t.context.folder, { recursive: true, force: true })
})

test('a fleet from a template: birth, readings, wills', async (t) => {
  const { broker, client, folder } = t.context
  const file = join(folder, 'fleet.json')
  writeFileSync(
    file,
    JSON.stringify({
      devices: 3,
      interval: 0.1,
      topic: 'fleet/{device}/reading',
      payload: {
        device: '{device}',
        count: '{count}',
        warm: '{walk 15 30 0.5}',
        text: 'n{integer 5 5}',
        at: '{time}',
      },
      qos: 1,
      birth: { topic: 'fleet/{device}/state', payload: 'online', qos: 1 },
      will: { topic: 'fleet/{device}/state', payload: 'offline {device}', qos: 1 },
    }),
  )
  await client.subscribe('fleet/+/state', { qos: 1 })
  const command = startCommand(t, ['simulate', file, '-p', broker.port, '-i', 'device'])
  const births = await nextMessages(client, 3)
  t.deepEqual(
    births.map(({ topic }) => topic.value).sort(),
    [1, 2, 3].map((device) => `fleet/${device}/state`),
  )
  t.true(births.every((message) => message.text() === 'online'))

  await client.subscribe('fleet/+/reading', { qos: 1 })
  const counts = new Map<number, number>()
  for (const message of await nextMessages(client, 12)) {
    const { device, count, warm, text, at } = message.json() as Reading
    t.is(message.topic.value, `fleet/${device}/reading`)
    t.true(warm >= 15 && warm <= 30)
    t.is(text, 'n5')
    t.true(Math.abs(Date.now() - Date.parse(at)) < 30_000)
    if (counts.has(device)) t.is(count, (counts.get(device) as number) + 1)
    counts.set(device, count)
  }
  t.is(counts.size, 3)

  // Killed, so that no DISCONNECT keeps the wills back.
  await client.unsubscribe('fleet/+/reading')
  command.process.kill('SIGKILL')
  const wills = new Set<string>()
  while (wills.size < 3) {
    const [message] = await nextMessages(client, 1)
    if (message?.topic.value.endsWith('state')) wills.add(message.text())
  }
  t.deepEqual([...wills].sort(), ['offline 1', 'offline 2', 'offline 3'])
})

test('-t and -m are a template without a file; --duration ends it', async (t) => {
  const { broker, client } = t.context
  await client.subscribe('one/#')
  const args = [
    '-t',
    'one/{device}',
    '-m',
    '{choice a b}',
    '--devices',
    2,
    '--interval',
    0.1,
    '--duration',
    2,
  ]
  const { code, errors } = await runCommand(t, ['simulate', '-p', broker.port, ...args])
  t.is(code, 0)
  t.regex(errors, /2 connected, \d+ published\n$|0 connected, \d+ published\n$/)
  for (const message of await nextMessages(client, 4)) t.regex(message.text(), /^[ab]$/)
})

test('a template that is none is refused before anything connects', async (t) => {
  const { folder } = t.context
  for (const [name, text, error] of [
    ['missing', null, /missing: ENOENT/],
    ['no-json', '{', /no-json: .*JSON/],
    ['no-topic', '{}', /must have a topic/],
    ['key', '{"topic": "a", "paylod": 1}', /Did you mean 'payload'\?/],
    ['placeholder', '{"topic": "a/{devise}"}', /\{devise\} is none of the placeholders/],
    ['words', '{"topic": "a", "payload": "{walk 1 2}"}', /must be like \{walk from to step\}/],
    ['wildcard', '{"topic": "a/#"}', /wildcard/i],
    ['interval', '{"topic": "a", "interval": 0}', /interval must be a number above 0/],
  ] as const) {
    const file = join(folder, name)
    if (text !== null) writeFileSync(file, text)
    const { code, errors } = await runCommand(t, ['simulate', file, '-p', 1])
    t.is(code, 1, name)
    t.regex(errors, error, name)
  }
  const nothing = await runCommand(t, ['simulate', '-p', 1])
  t.regex(nothing.errors, /There must be a template, or a topic: -t/)
})
