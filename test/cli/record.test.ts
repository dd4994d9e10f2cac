import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, type Message } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { nextMessages } from '../helpers/client.js'
import { runCommand, startCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

interface Context {
  broker: Mosquitto
  client: Client
  folder: string
}

const test = anyTest as TestFn<Context>

test.before(async (t) => {
  const broker = await Mosquitto.start({ packets: true })
  const client = await Client.connect(broker.host, broker.port, { protocol: 5 })
  t.context = { broker, client, folder: mkdtempSync(join(tmpdir(), 'aiomqtt-record-')) }
})
test.after.always(async (t) => {
  await t.context.client?.disconnect()
  await t.context.broker?.stop()
  rmSync(t.context.folder, { recursive: true, force: true })
})

const bytes = Buffer.from([0, 255, 10, 13, 128])
const properties = {
  contentType: 'text/plain',
  messageExpiryInterval: 600,
  userProperty: [['a', '1'] as const, ['a', '2'] as const],
}

let recordings = 0

async function recording(t: ExecutionContext<Context>, name: string, args: string[] = []) {
  const { broker, folder } = t.context
  const file = join(folder, `${name}.jsonl`)
  const id = `record-${++recordings}`
  const options = ['-p', String(broker.port), '-i', id, '-V', '5', '-q', '2', '-t', `${name}/#`]
  const command = startCommand(t, ['record', file, ...options, ...args])
  await Promise.race([broker.logged(new RegExp(`Sending SUBACK to ${id}$`)), command.ended])
  return { file, command }
}

test('what was recorded is replayed: payloads, QoS, retained, properties, order', async (t) => {
  const { broker, client } = t.context
  const { file, command } = await recording(t, 'all', ['-C', '4', '--retain-as-published'])
  await client.publish('all/text', 'grüße\n', { qos: 1, properties })
  await client.publish('all/bytes', bytes, { qos: 2 })
  await client.publish('all/empty', null)
  await client.publish('all/kept', 'kept', { qos: 1, retain: true })
  const { code, errors } = await command.ended
  t.deepEqual([code, errors], [0, `4 messages in ${file}\n`])
  t.is(readFileSync(file, 'utf8').trimEnd().split('\n').length, 4)

  const listener = await Client.connect(broker.host, broker.port, { protocol: 5 })
  t.teardown(() => listener.disconnect())
  await listener.subscribe('again/#', { options: { qos: 2, retainAsPublished: true } })
  const args = ['replay', file, '-p', broker.port, '-V', 5, '--prefix', 'again/', '--speed', 0]
  const replayed = await runCommand(t, args)
  t.deepEqual([replayed.code, replayed.errors], [0, '4 messages published\n'])
  const seen = await nextMessages(listener, 4)
  const shown = seen.map(({ topic, payload, qos, retain }: Message) => [
    topic.value,
    payload.toString('latin1'),
    qos,
    retain,
  ])
  t.deepEqual(
    shown.sort(),
    [
      ['again/all/text', Buffer.from('grüße\n').toString('latin1'), 1, false],
      ['again/all/bytes', bytes.toString('latin1'), 2, false],
      ['again/all/empty', '', 0, false],
      ['again/all/kept', 'kept', 1, true],
    ].sort(),
  )
  const text = seen.find(({ topic }) => topic.value === 'again/all/text')?.properties
  t.is(text?.contentType, 'text/plain')
  t.deepEqual(text?.userProperty, properties.userProperty)
})

test('--speed keeps the distances', async (t) => {
  const { broker, client, folder } = t.context
  const file = join(folder, 'pace.jsonl')
  const start = Date.UTC(2026, 0, 1)
  const times = [0, 1_500, 3_000]
  const line = (offset: number) =>
    JSON.stringify({ tst: new Date(start + offset).toISOString(), topic: `pace/${offset}`, payload: 'x' })
  writeFileSync(file, `${times.map(line).join('\n')}\n`)
  await client.subscribe('pace/#')
  const command = runCommand(t, ['replay', file, '-p', broker.port, '--speed', 3])
  const arrivals: number[] = []
  while (arrivals.length < times.length) {
    await nextMessages(client, 1)
    arrivals.push(performance.now())
  }
  t.is((await command).code, 0)
  const [first = 0, , last = 0] = arrivals
  // 3,000 ms at three times the speed. On a busy machine each may come late, the first one as well.
  t.true(last - first > 600 && last - first < 2_500, `${last - first} ms`)
})

test('a file that is there is not overwritten; --append adds to it', async (t) => {
  const { client, broker } = t.context
  const first = await recording(t, 'twice', ['-C', '1'])
  await client.publish('twice/x', '1')
  await first.command.ended
  const refused = await runCommand(t, ['record', first.file, '-p', broker.port, '-t', 'twice/#'])
  t.is(refused.code, 1)
  t.regex(refused.errors, /is there already: give --append or another name/)
  const second = await recording(t, 'twice', ['-C', '1', '--append'])
  await client.publish('twice/x', '2')
  await second.command.ended
  t.is(readFileSync(first.file, 'utf8').trimEnd().split('\n').length, 2)
})

test('a recording of nothing leaves no file', async (t) => {
  const file = join(t.context.folder, 'nothing.jsonl')
  const { code } = await runCommand(t, ['record', file, '-p', 1, '-t', 'a'])
  t.is(code, 1)
  t.false(existsSync(file))
})

test('a file that is no recording is refused before anything is published, with the line', async (t) => {
  const { folder } = t.context
  const good = JSON.stringify({ tst: '2026-01-01T00:00:00Z', topic: 'a', payload: 'x' })
  for (const [name, text, error] of [
    ['missing', null, /cannot be read: ENOENT/],
    ['empty', '', /has no messages/],
    ['no-json', 'hello\n', /line 1: /],
    ['no-date', JSON.stringify({ topic: 'a' }), /line 1: tst must be an ISO 8601 date/],
    ['no-topic', JSON.stringify({ tst: '2026-01-01T00:00:00Z' }), /line 1: topic must be a string/],
    ['wildcard', good.replace('"a"', '"a/#"'), /line 1: .*wildcard/i],
    ['qos', good.replace('"topic"', '"qos": 3, "topic"'), /line 1: qos must be 0, 1 or 2/],
    [
      'property',
      good.replace('"topic"', '"properties": {"x": 1}, "topic"'),
      /line 1: properties: x is none of/,
    ],
  ] as const) {
    const file = join(folder, name)
    if (text !== null) writeFileSync(file, text)
    const { code, errors } = await runCommand(t, ['replay', file, '-p', 1])
    t.is(code, 1, name)
    t.regex(errors, error, name)
    t.is(errors.trimEnd().split('\n').length, 1, errors)
  }
})
