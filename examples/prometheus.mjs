// Counts what comes on sensors/#, and shows it to Prometheus on http://localhost:9464/metrics, until Ctrl-C.
//
//   node examples/prometheus.mjs [hostname] [port] [metrics port]

import { subscribe } from 'node:diagnostics_channel'
import { createServer } from 'node:http'
import { Client } from 'aiomqtt'

const [hostname = 'localhost', port = '1883', metricsPort = '9464'] = process.argv.slice(2)

// What the library counts: name, type, what it means, where it stands in `client.stats`.
const METRICS = [
  ['mqtt_messages_received_total', 'counter', 'Messages that came.', 'messagesReceived'],
  ['mqtt_messages_sent_total', 'counter', 'Messages that left.', 'messagesSent'],
  ['mqtt_bytes_received_total', 'counter', 'Bytes of MQTT that came.', 'bytesReceived'],
  ['mqtt_bytes_sent_total', 'counter', 'Bytes of MQTT that left.', 'bytesSent'],
  ['mqtt_messages_dropped_total', 'counter', 'Messages dropped at a full queue.', 'dropped'],
  ['mqtt_reconnects_total', 'counter', 'Connections after the first one.', 'reconnects'],
  ['mqtt_queued_messages', 'gauge', 'Messages that wait for the consumer.', 'queued'],
  ['mqtt_queued_bytes', 'gauge', 'Bytes that wait for the consumer.', 'queuedBytes'],
  ['mqtt_inflight_messages', 'gauge', 'QoS 1 and 2 messages not acknowledged yet.', 'inflight'],
  ['mqtt_pending_calls', 'gauge', 'Calls that wait for the broker.', 'pending'],
  ['mqtt_round_trip_seconds', 'gauge', 'How long the broker took to answer.', 'roundTripTime'],
]

// What only this program can count: messages by the first two levels of their topics.
const byTopic = new Map()
subscribe('aiomqtt:message', ({ message }) => {
  const topic = message.topic.value.split('/', 2).join('/')
  byTopic.set(topic, (byTopic.get(topic) ?? 0) + 1)
})

const client = await Client.connect(hostname, Number(port))
await client.subscribe('sensors/#')

/** Prometheus' text format. */
function metrics() {
  const { stats } = client
  const lines = METRICS.flatMap(([name, type, help, key]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    `${name} ${stats[key] ?? 'NaN'}`,
  ])
  lines.push('# HELP mqtt_topic_messages_total Messages that came, by topic.')
  lines.push('# TYPE mqtt_topic_messages_total counter')
  for (const [topic, count] of byTopic)
    lines.push(`mqtt_topic_messages_total{topic=${label(topic)}} ${count}`)
  return `${lines.join('\n')}\n`
}

/** A label's value: backslashes, quotes and line feeds are escaped. */
function label(text) {
  return `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')}"`
}

const server = createServer((request, response) => {
  const isKnown = request.url === '/metrics'
  response.writeHead(isKnown ? 200 : 404, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  response.end(isKnown ? metrics() : '')
})
server.listen(Number(metricsPort), 'localhost', () => {
  console.log(`http://localhost:${server.address().port}/metrics`)
})

for await (const message of client.messages) {
  if (message.payload.length === 0) console.log(`${message.topic} is gone`)
}
