import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { connected, patience } from '../helpers/client.js'
import { until, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const program = fileURLToPath(new URL('../../../examples/prometheus.mjs', import.meta.url))

/** A line of Prometheus' text format: a comment, or a name with labels and a number. */
const LINE = /^(# (HELP|TYPE) mqtt_\w+ .+|mqtt_\w+(\{\w+="(\\[\\n"]|[^\\"\n])*"\})? (\d[\d.e-]*|NaN))$/

/** What stands there as soon as this is part of it. */
async function textWith(address: string, part: string): Promise<string> {
  let text = ''
  await until(patience, part, async () => {
    text = await (await fetch(address)).text()
    return text.includes(part)
  })
  return text
}

test('examples/prometheus.mjs shows what the client counts', async (t) => {
  const broker = await Mosquitto.start()
  t.teardown(() => broker.stop())
  const child = spawn(process.execPath, [program, broker.host, String(broker.port), '0'])
  t.teardown(() => child.kill('SIGKILL'))
  const [address] = (await within(
    patience,
    'the address',
    once(createInterface({ input: child.stdout }), 'line'),
  )) as string[]
  const client = await connected(t, broker)
  await client.publish('sensors/kitchen/"warm"', '1', { qos: 1 })
  await client.publish('sensors/\\"', '2', { qos: 1 })

  const text = await within(patience, 'both messages', textWith(address, 'mqtt_messages_received_total 2'))
  t.true(text.endsWith('\n'))
  for (const line of text.trimEnd().split('\n')) t.regex(line, LINE)
  t.true(text.includes('mqtt_topic_messages_total{topic="sensors/kitchen"} 1\n'))
  t.true(text.includes('mqtt_topic_messages_total{topic="sensors/\\\\\\""} 1\n'))
  t.regex(text, /^mqtt_round_trip_seconds \d/m)
  t.is((await fetch(new URL('/', address))).status, 404)
})

test('the Grafana dashboard asks for metrics that examples/prometheus.mjs and docs/metrics.md export', async (t) => {
  const read = (path: string) => readFile(new URL(`../../../${path}`, import.meta.url), 'utf8')
  const dashboard = JSON.parse(await read('examples/grafana-dashboard.json'))
  const queries = dashboard.panels.flatMap(({ targets }: { targets: Array<{ expr: string }> }) => targets)
  const names = queries.map(({ expr }: { expr: string }) => /mqtt_\w+/.exec(expr)?.[0] ?? expr)
  t.true(names.length >= 8)
  for (const page of ['examples/prometheus.mjs', 'docs/metrics.md']) {
    const exported = Array.from((await read(page)).matchAll(/'(mqtt_\w+)'/g), ([, name]) => name)
    for (const name of names) t.true(exported.includes(name), `${page}: ${name}`)
  }
})
