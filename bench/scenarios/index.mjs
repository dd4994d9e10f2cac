// Every scenario: what it does, what is read off it, and the goal.

/** What the usual message is: 64 bytes on one of 100 topics. */
const USUAL = { payload: 64, topics: 100, cycle: 256 }

const LARGE = { payload: 2 ** 20, topics: 8, cycle: 8 }

/** Messages that the peer keeps under way for QoS 1 and 2, if the client's Receive Maximum allows. */
const WINDOW = 10_000

/** Publishes that wait for their end. */
const MAX_PENDING = 1_000

/** The same for 1 MiB payloads: 16 MiB. */
const MAX_PENDING_LARGE = 16

const V311 = 4
const V5 = 5

const USER_PROPERTIES = [
  ['unit', 'degrees celsius'],
  ['site', 'plant-7/hall-2'],
]

const NO_QOS2 = { 'aws-crt': 'its MQTT 5 client has no QoS 2' }

const NO_STORE = { 'aws-crt': 'it has no store' }

const MESSAGES = { unit: 'messages/s', better: 'more' }
const MEGABYTES = { metric: 'megabytesPerSecond', unit: 'MB/s', better: 'more' }
const PROCESSOR = { metric: 'processorMicroseconds', unit: 'µs/message', better: 'less', digits: 2 }

/** Packets that are encoded once and sent again and again: for QoS 1 and 2 more than the window (see `encodeRing()`). */
function packetsOf(qos, message) {
  if (message === LARGE) return LARGE.cycle
  return qos === 0 ? 6_400 : 12_800
}

function receive({
  qos,
  transport = 'tcp',
  protocol = V311,
  batches = false,
  connections = 1,
  message = USUAL,
  userProperties = [],
  reconnect = false,
}) {
  const packets = packetsOf(qos, message)
  const framed = transport === 'websockets'
  const pump = { qos, ...message, packets, window: WINDOW, userProperties, connections, framed }
  return {
    program: 'receive',
    parameters: { transport, protocol, qos, batches, connections, reconnect, pump },
    cycle: message.cycle,
  }
}

function publish({
  qos,
  transport = 'tcp',
  maxPending = MAX_PENDING,
  message = USUAL,
  reconnect = false,
  store = null,
}) {
  const packets = packetsOf(qos, message)
  return {
    program: 'publish',
    parameters: { transport, protocol: V311, qos, maxPending, reconnect, store, ...message, packets },
    cycle: message.cycle,
  }
}

function roundTrip({ qos }) {
  return {
    program: 'round-trip',
    parameters: { protocol: V311, qos, ...USUAL, noDelay: true },
    cycle: USUAL.cycle,
    echo: true,
  }
}

/** Through Mosquitto, by the pacer (native/bench/pacer.cpp), which needs no ring of packets. */
function pacedReceive({ qos, rate, stretch }) {
  const { payload, topics } = USUAL
  return {
    program: 'paced-receive',
    parameters: { protocol: V311, qos, rate, stretch, noDelay: true },
    pace: { qos, rate, payload, topics },
  }
}

function pacedPublish({ qos, rate, stretch }) {
  return {
    program: 'paced-publish',
    parameters: { protocol: V311, qos, rate, stretch, ...USUAL, maxPending: MAX_PENDING, noDelay: true },
  }
}

/** The rows of a scenario at an even pace; `goals` has one for each of them, or none. */
function pacedRows(title, goals) {
  const latency = (quantile) => ({
    title: `${title}: ${quantile}`,
    metric: `${quantile}Microseconds`,
    unit: 'µs',
    better: 'less',
    goal: goals[quantile],
  })
  return [
    { title: `${title}: processor time`, ...PROCESSOR, digits: 1, goal: goals.processor },
    latency('p50'),
    latency('p99'),
  ]
}

function rate(title, goal) {
  return { title, metric: 'messagesPerSecond', ...MESSAGES, goal }
}

function processor(title, goal) {
  return { title: `processor time per message, ${title}`, ...PROCESSOR, goal }
}

/**
 * - `program`: the file here that the client's process runs, with `parameters`
 * - `rows`: what the table shows; `goal` is the ratio to MQTT.js (or to the client `against`) to be
 *   reached: at least, where more is better
 * - `check`: the small size; `messages` is for each connection
 * - `ceiling`: whether the raw client can run it too, to show how fast the peer is
 * - `without`: clients that cannot run it, and why
 * - `engine`: whether the engine without Node can run it too
 */
export const scenarios = [
  {
    id: 'in-qos0',
    ...receive({ qos: 0 }),
    rows: [
      rate('in, QoS 0, MQTT 3.1.1, `for await`', 8),
      { ...rate('in, QoS 0, beside the same engine driven from C', 0.6), against: 'engine' },
      processor('in, QoS 0', 0.4),
    ],
    check: { messages: 20_000 },
    ceiling: true,
    engine: true,
  },
  {
    id: 'in-qos0-properties',
    ...receive({ qos: 0, protocol: V5, userProperties: USER_PROPERTIES }),
    rows: [rate('in, QoS 0, MQTT 5, two user properties, read by one message in ten', 10)],
    check: { messages: 20_000 },
    ceiling: true,
  },
  {
    id: 'in-qos0-batches',
    ...receive({ qos: 0, batches: true }),
    rows: [rate('in, QoS 0, `batches()`', 10), processor('in, QoS 0, `batches()`', 0.4)],
    check: { messages: 20_000 },
  },
  {
    id: 'in-qos1',
    ...receive({ qos: 1 }),
    rows: [rate('in, QoS 1', 8), processor('in, QoS 1', 0.4)],
    check: { messages: 20_000 },
    ceiling: true,
    engine: true,
  },
  {
    id: 'in-qos2',
    ...receive({ qos: 2 }),
    rows: [rate('in, QoS 2', 6), processor('in, QoS 2', 0.4)],
    without: NO_QOS2,
    check: { messages: 20_000 },
    ceiling: true,
    engine: true,
  },
  {
    id: 'out-qos0',
    ...publish({ qos: 0 }),
    rows: [rate('out, QoS 0, at most 1,000 pending', 7), processor('out, QoS 0', 0.4)],
    check: { messages: 5_000 },
    ceiling: true,
  },
  {
    id: 'out-qos1',
    ...publish({ qos: 1 }),
    rows: [rate('out, QoS 1, at most 1,000 pending', 7), processor('out, QoS 1', 0.4)],
    check: { messages: 5_000 },
    ceiling: true,
  },
  {
    id: 'out-qos1-store',
    ...publish({ qos: 1, store: { sync: false, mqttJs: 'mqtt-jsonl-store' } }),
    rows: [
      rate('out, QoS 1, `DurableStore`; MQTT.js with mqtt-jsonl-store', 2),
      processor('out, QoS 1, with a store', 0.5),
    ],
    without: NO_STORE,
    check: { messages: 2_000 },
  },
  {
    id: 'out-qos1-store-sync',
    ...publish({ qos: 1, store: { sync: true, mqttJs: 'mqtt-level-store' } }),
    rows: [
      rate(
        'out, QoS 1, `DurableStore` with `sync: true`; MQTT.js with mqtt-level-store, which does not sync',
        1,
      ),
    ],
    without: NO_STORE,
    check: { messages: 2_000 },
  },
  {
    id: 'out-qos2',
    ...publish({ qos: 2 }),
    rows: [rate('out, QoS 2, at most 1,000 pending', 5), processor('out, QoS 2', 0.4)],
    without: NO_QOS2,
    check: { messages: 5_000 },
    ceiling: true,
  },
  {
    id: 'in-1mib',
    ...receive({ qos: 0, message: LARGE }),
    rows: [{ title: 'in, 1 MiB payloads, QoS 0', ...MEGABYTES, goal: 1.5 }],
    check: { messages: 40 },
    ceiling: true,
  },
  {
    id: 'out-1mib',
    ...publish({ qos: 0, maxPending: MAX_PENDING_LARGE, message: LARGE }),
    rows: [{ title: 'out, 1 MiB payloads, QoS 0, at most 16 pending', ...MEGABYTES, goal: 1 }],
    check: { messages: 40 },
    ceiling: true,
  },
  {
    id: 'in-tls',
    ...receive({ qos: 0, transport: 'tls' }),
    rows: [rate('TLS in, QoS 0', 4)],
    check: { messages: 20_000 },
    ceiling: true,
  },
  {
    id: 'out-tls',
    ...publish({ qos: 0, transport: 'tls' }),
    rows: [rate('TLS out, QoS 0, at most 1,000 pending', 4)],
    check: { messages: 5_000 },
    ceiling: true,
  },
  {
    id: 'in-websocket',
    ...receive({ qos: 0, transport: 'websockets' }),
    rows: [rate('WebSocket in, QoS 0, a frame for each packet', 2)],
    check: { messages: 20_000 },
  },
  ...[0, 1].flatMap((qos) => [
    {
      id: `in-qos${qos}-reconnect`,
      ...receive({ qos, reconnect: true }),
      rows: [rate(`in, QoS ${qos}, with \`reconnect\``, 8)],
      check: { messages: 20_000 },
    },
    {
      id: `out-qos${qos}-reconnect`,
      ...publish({ qos, reconnect: true }),
      rows: [rate(`out, QoS ${qos}, with \`reconnect\`, at most 1,000 pending`, 7)],
      check: { messages: 5_000 },
    },
  ]),
  {
    id: 'out-1mib-reconnect',
    ...publish({ qos: 1, maxPending: MAX_PENDING_LARGE, message: LARGE, reconnect: true }),
    rows: [
      {
        title: 'out, 1 MiB payloads, QoS 1, with `reconnect`, at most 16 pending',
        ...MEGABYTES,
        goal: 1,
      },
    ],
    check: { messages: 40 },
  },
  ...[0, 1].map((qos) => ({
    id: `round-trip-qos${qos}`,
    ...roundTrip({ qos }),
    rows: ['p50', 'p99'].map((quantile) => ({
      title: `round trip, one at a time, QoS ${qos}: ${quantile}`,
      metric: `${quantile}Microseconds`,
      unit: 'µs',
      better: 'less',
      goal: { p50: 0.8, p99: 1 }[quantile],
    })),
    check: { messages: 500 },
  })),
  {
    id: 'connect-in-turn',
    program: 'connect',
    parameters: { protocol: V311, together: false, count: 200 },
    rows: [
      {
        title: 'connect, one after the other',
        metric: 'milliseconds',
        unit: 'ms',
        better: 'less',
        digits: 3,
        goal: 1,
      },
    ],
    check: { messages: 30 },
  },
  {
    id: 'connect-at-once',
    program: 'connect',
    parameters: { protocol: V311, together: true, count: 200 },
    rows: [
      {
        title: 'connect, 200 at once',
        metric: 'milliseconds',
        unit: 'ms',
        better: 'less',
        digits: 1,
        goal: 1,
      },
    ],
    check: { messages: 30 },
  },
  {
    id: 'idle',
    program: 'idle',
    // Keepalive packets are most of what idle connections do, so there are some while it is measured.
    parameters: { protocol: V311, connections: 1_000, keepalive: 3, stretch: 2.5 },
    flags: ['--expose-gc'],
    rows: [
      {
        title: '1,000 idle connections: memory',
        metric: 'memoryMiB',
        unit: 'MiB',
        better: 'less',
        goal: 0.7,
      },
      {
        title: '1,000 idle connections, keepalive 3 s: processor',
        metric: 'processorMillisecondsPerSecond',
        unit: 'ms/s',
        better: 'less',
        digits: 1,
        goal: 0.3,
      },
    ],
    check: { messages: 30 },
  },
  {
    id: 'flood-1000',
    ...receive({ qos: 0, connections: 1_000 }),
    rows: [rate('1,000 connections that share one flood, QoS 0', 5)],
    check: { messages: 200, connections: 30 },
  },
].map((scenario) => ({
  echo: false,
  flags: [],
  without: {},
  ceiling: false,
  engine: false,
  cycle: USUAL.cycle,
  ...scenario,
}))

/** Where the broker's pace is set by what it acknowledges to the one that feeds it. */
const FEED = { protocol: V311, qos: 1, ...USUAL, packets: packetsOf(1, USUAL), maxPending: MAX_PENDING }

/** A slow pace is measured for longer. */
const PACES_IN = [
  { rate: 200, stretch: 2.5, processor: 0.9 },
  { rate: 2_000, stretch: 1.5, processor: 0.7 },
  { rate: 10_000, stretch: 1, processor: 0.4 },
  { rate: 30_000, stretch: 1, processor: 0.25 },
]
const PACES_OUT = [
  { rate: 500, stretch: 2.5, processor: [0.9, 0.8] },
  { rate: 5_000, stretch: 1, processor: [0.8, 0.7] },
  { rate: 20_000, stretch: 1, processor: [0.5, 0.5] },
]

function paceText(rate) {
  return `${rate.toLocaleString('en-US')} a second`
}

/**
 * Against a real broker.
 *
 * - `feed`: what another process floods it with meanwhile
 * - `pace`: what the pacer publishes meanwhile
 * - `once`: one round is enough
 */
export const brokerScenarios = [
  ...[0, 1].flatMap((qos) =>
    PACES_IN.map(({ rate, stretch, processor }) => ({
      id: `paced-in-${rate}-qos${qos}`,
      ...pacedReceive({ qos, rate, stretch }),
      rows: pacedRows(`in at an even pace, ${paceText(rate)}, QoS ${qos}`, { processor }),
    })),
  ),
  ...[0, 1].flatMap((qos) =>
    PACES_OUT.map(({ rate, stretch, processor }) => ({
      id: `paced-out-${rate}-qos${qos}`,
      ...pacedPublish({ qos, rate, stretch }),
      rows: pacedRows(`out at an even pace, ${paceText(rate)}, QoS ${qos}`, {
        processor: processor[qos],
        p50: qos === 0 ? 1 : undefined,
      }),
    })),
  ),
  {
    once: true,
    id: 'mosquitto-in-qos0',
    ...receive({ qos: 0 }),
    feed: FEED,
    rows: [{ title: 'Mosquitto: in, QoS 0', metric: 'messagesPerSecond', ...MESSAGES }],
  },
  {
    once: true,
    id: 'mosquitto-in-qos1',
    ...receive({ qos: 1 }),
    feed: FEED,
    rows: [{ title: 'Mosquitto: in, QoS 1', metric: 'messagesPerSecond', ...MESSAGES }],
  },
  ...[0, 1].map((qos) => ({
    once: true,
    id: `mosquitto-out-qos${qos}`,
    ...publish({ qos }),
    rows: [{ title: `Mosquitto: out, QoS ${qos}`, metric: 'messagesPerSecond', ...MESSAGES }],
  })),
].map((scenario) => ({ flags: [], without: {}, once: false, ...scenario }))
