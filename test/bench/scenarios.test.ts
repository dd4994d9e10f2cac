import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import test, { type ExecutionContext } from 'ava'
import { within } from '../helpers/deadline.js'

const program = fileURLToPath(new URL('../../../bench/run.mjs', import.meta.url))

/** How long one run may take. */
const patience = 50_000

/** What a check has counted on both sides. */
interface Counts {
  scenario: string
  client: string
  messages: number
  connections: number
  received?: number
  published?: number
  disordered?: number
  peer: { received: number; sent: number; acknowledged: number; disordered: number; open: number }
}

interface Outcome {
  code: number | null
  output: string
  errors: string
}

/** Runs the benchmarks with these arguments. */
async function bench(t: ExecutionContext, ...options: string[]): Promise<Outcome> {
  const child = spawn(process.execPath, [program, ...options], { stdio: ['ignore', 'pipe', 'pipe'] })
  t.teardown(() => child.kill('SIGKILL'))
  const outcome = Promise.all([once(child, 'close'), text(child.stdout), text(child.stderr)])
  const [[code], output, errors] = await within(patience, 'the run', outcome)
  return { code: code as number | null, output, errors }
}

/** Runs one scenario at its small size with aiomqtt. */
async function check(t: ExecutionContext, scenario: string): Promise<Counts> {
  const folder = await mkdtemp(join(tmpdir(), 'aiomqtt-bench-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const file = join(folder, 'counts.json')
  const { code, output, errors } = await bench(
    t,
    '--check',
    ...['--clients', 'aiomqtt'],
    ...['--only', `^${scenario}$`],
    ...['--json', file],
  )
  t.is(code, 0, output + errors)
  const [counts] = JSON.parse(await readFile(file, 'utf8')) as [Counts]
  return counts
}

const incoming = [
  ['in-qos0', 0],
  ['in-qos0-properties', 0],
  ['in-qos0-batches', 0],
  ['in-qos1', 1],
  ['in-qos2', 2],
  ['in-1mib', 0],
  ['in-qos0-reconnect', 0],
  ['in-qos1-reconnect', 1],
  ['in-tls', 0],
  ['in-websocket', 0],
  ['flood-1000', 0],
] as const

for (const [scenario, qos] of incoming) {
  test.serial(`${scenario}: every message arrives once, in order`, async (t) => {
    const { messages, connections, received, disordered, peer } = await check(t, scenario)
    const total = messages * connections
    t.true(total > 0)
    t.is(received, total)
    t.is(peer.sent, total)
    t.is(disordered, 0)
    t.is(peer.acknowledged, qos === 0 ? 0 : total)
  })
}

const outgoing = [
  ...['out-qos0', 'out-qos1', 'out-qos2', 'out-1mib', 'out-tls'],
  ...['out-qos0-reconnect', 'out-qos1-reconnect', 'out-1mib-reconnect'],
  ...['out-qos1-store', 'out-qos1-store-sync'],
]

for (const scenario of outgoing) {
  test.serial(`${scenario}: every publish resolves, and arrives once, in order`, async (t) => {
    const { messages, published, peer } = await check(t, scenario)
    t.true(messages > 0)
    t.is(published, messages)
    t.is(peer.received, messages)
    t.is(peer.disordered, 0)
  })
}

for (const scenario of ['round-trip-qos0', 'round-trip-qos1']) {
  test.serial(`${scenario}: every message comes back before the next one leaves`, async (t) => {
    const { messages, received, disordered, peer } = await check(t, scenario)
    t.true(messages > 0)
    t.is(received, messages)
    t.is(peer.received, messages)
    t.is(disordered, 0)
  })
}

for (const scenario of ['connect-in-turn', 'connect-at-once', 'idle']) {
  test.serial(`${scenario}: every connection is made, and ended`, async (t) => {
    const { peer } = await check(t, scenario)
    t.is(peer.open, 0)
  })
}

test.serial('the figures of an earlier run make tables and a picture', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'aiomqtt-bench-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  const at = (name: string) => join(folder, name)
  const row = (scenario: string, metric: string, better: string, ...medians: number[]) => ({
    ...{ scenario, metric, better, title: scenario, unit: 'unit', goal: 2, isMet: better === 'more' },
    ratio: (medians[0] as number) / (medians[1] as number),
    figures: Object.fromEntries(
      ['aiomqtt', 'mqtt', 'aws-crt'].map((client, i) => [client, { median: medians[i], rounds: [1] }]),
    ),
  })
  const rows = [
    row('in-qos0', 'messagesPerSecond', 'more', 3_000, 500, 1_000),
    row('paced-in-2000-qos0', 'processorMicroseconds', 'less', 80, 20, 40),
  ]
  await writeFile(at('figures.json'), JSON.stringify({ rows }))
  const files = ['--markdown', at('tables.md'), '--chart', at('chart')]
  const { code, output, errors } = await bench(t, '--from', at('figures.json'), ...files)
  t.is(code, 0, output + errors)
  const tables = await readFile(at('tables.md'), 'utf8')
  t.regex(
    tables,
    /### Floods in\n\n.*aiomqtt \| MQTT\.js.*\n.*\n\| in-qos0 \(unit\) \| 3,000 \| 500 \| 6\.00 × \|/,
  )
  t.regex(
    tables,
    /### At an even pace, in.*\n\n.*\n.*\n\| paced-in-2000-qos0 .* \| 80 \| 20 \| 4\.00 × \(goal ≤ 2 ×\) \|/,
  )
  t.regex(tables, /### Beside aws-crt\n\n.*\n.*\n.* 3\.00 × \|\n.* 2\.00 × \|/)
  for (const name of ['chart.svg', 'chart-dark.svg']) {
    const picture = await readFile(at(name), 'utf8')
    t.regex(picture, /^<svg [^>]*viewBox/)
    t.regex(picture, />6\.00 ×<.*>4\.00 ×</s)
  }
})

test.serial('every scenario against the peer is tested here', async (t) => {
  const { output } = await bench(t, '--list')
  const listed = output
    .trim()
    .split('\n')
    .filter((name) => !/^(?:mosquitto|paced)-/.test(name))
  const tested = [
    ...incoming.map(([name]) => name),
    ...outgoing,
    ...['round-trip-qos0', 'round-trip-qos1'],
    ...['connect-in-turn', 'connect-at-once', 'idle'],
  ]
  t.deepEqual(listed.sort(), tested.sort())
})

for (const [options, message] of [
  [['--round', '3'], /Unknown option '--round'/],
  [['--rounds', 'many'], /--rounds is a number above 0, not many\./],
  [['--clients', 'aiomqtt,paho'], /there is no paho\. There are aiomqtt, mqtt, aws-crt\./],
  [['--only', 'nothing-like-it'], /no scenario has such a name/],
  [['--only', '('], /--only: Invalid regular expression/],
  [['--quick', '--check'], /exclude each other/],
  [['--from', 'nowhere.json'], /--from: .*nowhere\.json/],
  [['--from', 'package.json'], /is not what --json writes/],
] as const) {
  test.serial(`the benchmarks refuse ${options.join(' ')}`, async (t) => {
    const { code, errors } = await bench(t, ...options)
    t.is(code, 1)
    t.regex(errors, message)
    t.notRegex(errors, /\n {4}at /)
  })
}
