import { type Client, type ClientOptions, type MqttCodeError, type MqttError, ProtocolVersion } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import {
  atOnce,
  clientOf,
  connected,
  freshTopic,
  isPending,
  paired,
  patience,
  roundTrip,
} from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import type { Received, Session, Welcome } from '../helpers/peer.js'
import { quickly, reached, welcomed } from '../helpers/reconnect.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>
const v5 = { protocol: ProtocolVersion.V5 }

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

/**
 * Answers every message below a topic of its own with the message's payload in capitals, twice if it ends with
 * `/twice`.
 */
async function serve(t: ExecutionContext<{ broker: Mosquitto }>): Promise<string> {
  const service = await connected(t, t.context.broker, v5)
  const topic = freshTopic()
  await service.subscribe(`${topic}/#`, { qos: 2 })
  void answerAll(service).catch(() => {})
  return topic
}

async function answerAll(service: Client): Promise<void> {
  for await (const request of service.messages) {
    const { responseTopic, correlationData } = request.properties ?? {}
    if (responseTopic === undefined) continue
    const times = request.topic.value.endsWith('/twice') ? 2 : 1
    for (let count = 0; count < times; count++) {
      await service.publish(responseTopic, request.text().toUpperCase(), {
        qos: request.qos,
        properties: { correlationData },
      })
    }
  }
}

for (const qos of [0, 1, 2] as const) {
  test(`QoS ${qos}: a request resolves to its answer, which stays out of messages`, async (t) => {
    const topic = await serve(t)
    const client = await connected(t, t.context.broker, v5)
    await client.subscribe(`${topic}/#`)
    const view = client.messages.filter('#')
    const answer = await within(patience, 'the answer', client.request(topic, 'hello', { qos }))
    t.is(answer.text(), 'HELLO')
    t.regex(answer.topic.value, /^aiomqtt\/response\/[\w-]{22}$/)
    const { value } = await within(patience, 'the request itself', view.next())
    t.is(value?.text(), 'hello')
    t.is(view.length + client.messages.length, 0)
  })
}

test('a thousand requests at once each get their own answer', async (t) => {
  const topic = await serve(t)
  const client = await connected(t, t.context.broker, { ...v5, maxInflightMessages: 100 })
  const requests = Array.from({ length: 1000 }, (_, index) => client.request(topic, `n${index}`, { qos: 1 }))
  const answers = await within(patience, 'the answers', Promise.all(requests))
  t.deepEqual(
    answers.map((answer) => answer.text()),
    requests.map((_, index) => `N${index}`),
  )
})

test('a second answer to a request is dropped', async (t) => {
  const topic = await serve(t)
  const client = await connected(t, t.context.broker, v5)
  for (let round = 0; round < 3; round++) {
    const answer = await within(
      patience,
      'the answer',
      client.request(`${topic}/twice`, `${round}`, { qos: 1 }),
    )
    t.is(answer.text(), `${round}`)
  }
  t.is(client.messages.length, 0)
})

test('requests work again on the next connection', async (t) => {
  const topic = await serve(t)
  const client = await connected(t, t.context.broker, v5)
  await within(patience, 'the answer', client.request(topic, 'one'))
  await client.disconnect()
  await client.connect()
  const answer = await within(patience, 'the answer', client.request(topic, 'two'))
  t.is(answer.text(), 'TWO')
})

/** A client whose peer has read and accepted the subscription to answers; the first request is sent. */
async function requesting(
  t: ExecutionContext<{ broker: Mosquitto }>,
  options: ClientOptions = {},
  welcome: Welcome = {},
) {
  const { client, peer, session } = await paired(t, { ...v5, ...options }, welcome)
  const answer = client.request('ask', 'question')
  const subscribe = await session.next('subscribe')
  accept(session, subscribe)
  const request = await session.next('publish')
  return { client, peer, session, answer, subscribe, request }
}

function accept(session: Session, { messageId }: Received<'subscribe'>, code = 1): void {
  session.send({ cmd: 'suback', messageId, granted: [code] })
}

function reply(session: Session, { properties }: Received<'publish'>, payload = 'answer'): void {
  session.send({
    cmd: 'publish',
    topic: String(properties?.responseTopic),
    payload,
    qos: 0,
    dup: false,
    retain: false,
    properties: { correlationData: properties?.correlationData },
  })
}

test('the first request subscribes, the next ones do not; each has correlation data of its own', async (t) => {
  const { client, session, answer, subscribe, request } = await requesting(t)
  const topic = request.properties?.responseTopic
  t.deepEqual(
    subscribe.subscriptions.map(({ topic, qos, nl }) => ({ topic, qos, nl })),
    [{ topic: String(topic), qos: 1, nl: false }],
  )
  const second = client.request('ask', 'again', { qos: 1, retain: true, properties: { contentType: 'x' } })
  const other = await session.next('publish')
  t.is(other.properties?.responseTopic, topic)
  t.is(other.properties?.contentType, 'x')
  t.is(other.qos, 1)
  t.true(other.retain)
  t.notDeepEqual(other.properties?.correlationData, request.properties?.correlationData)
  reply(session, other, 'two')
  t.is((await within(patience, 'the second answer', second)).text(), 'two')
  t.true(await isPending(answer))
  reply(session, request, 'one')
  t.is((await within(patience, 'the first answer', answer)).text(), 'one')
})

test('requests that come before the subscription is accepted wait, with the payload they were given', async (t) => {
  const { client, session } = await paired(t, v5)
  const payload = Buffer.from('first')
  const answers = [client.request('ask', payload), client.request('ask', 'second')]
  payload.fill('x')
  const subscribe = await session.next('subscribe')
  await roundTrip(client, session)
  accept(session, subscribe)
  for (const text of ['first', 'second']) {
    const request = await session.next('publish')
    t.is(String(request.payload), text)
    reply(session, request, text)
  }
  const texts = await within(patience, 'the answers', Promise.all(answers))
  t.deepEqual(
    texts.map((answer) => answer.text()),
    ['first', 'second'],
  )
})

test('a broker’s Response Information begins the response topic', async (t) => {
  for (const responseInformation of ['answers/me', 'answers/me/']) {
    const { answer, session, request } = await requesting(t, {}, { properties: { responseInformation } })
    t.regex(String(request.properties?.responseTopic), /^answers\/me\/[\w-]{22}$/)
    reply(session, request)
    t.is((await within(patience, 'the answer', answer)).text(), 'answer')
  }
})

test('with other Response Information on the next connection, there is another response topic', async (t) => {
  const { client, peer, session, answer } = await requesting(t)
  answer.catch(() => {})
  session.reset()
  await rejection(patience, 'the answer', answer)
  const connecting = client.connect()
  const second = await peer.welcome({ properties: { responseInformation: 'other' } })
  await within(patience, 'connecting', connecting)
  const again = client.request('ask')
  accept(second, await second.next('subscribe'))
  const request = await second.next('publish')
  t.regex(String(request.properties?.responseTopic), /^other\//)
  reply(second, request)
  t.is((await within(patience, 'the answer', again)).text(), 'answer')
})

test('a refused subscription rejects what waits for it, and the next request tries again', async (t) => {
  const { client, session } = await paired(t, v5)
  const answers = [client.request('ask', 'one'), client.request('ask', 'two')]
  accept(session, await session.next('subscribe'), 0x87)
  for (const answer of answers) {
    const error = (await rejection(atOnce, 'the request', answer)) as MqttCodeError
    t.is(error.message, '[code:135] Not authorized')
    t.regex(error.stack ?? '', /request\.test/)
  }
  const third = client.request('ask', 'three')
  accept(session, await session.next('subscribe'))
  const request = await session.next('publish')
  t.is(String(request.payload), 'three')
  reply(session, request)
  await within(patience, 'the answer', third)
})

test('a request times out, also while it waits for the subscription; a late answer is dropped', async (t) => {
  const { client, session } = await paired(t, v5)
  const early = client.request('ask', 'early', { timeout: 0.05 })
  const subscribe = await session.next('subscribe')
  t.is(((await rejection(atOnce, 'the request', early)) as MqttError).code, 'ERR_MQTT_TIMEOUT')
  accept(session, subscribe)
  const late = client.request('ask', 'late', { timeout: 0.2 })
  const request = await session.next('publish')
  t.is(String(request.payload), 'late', 'what was given up is not sent')
  const error = (await rejection(atOnce, 'the request', late)) as MqttError
  t.is(error.message, 'Operation timed out')
  t.regex(error.stack ?? '', /request\.test/)
  reply(session, request)
  await roundTrip(client, session)
  t.is(client.messages.length, 0)
})

test('a signal gives a request up, before and after it was sent', async (t) => {
  const { client, session, answer, request } = await requesting(t)
  const controller = new AbortController()
  const aborted = client.request('ask', 'x', { qos: 1, signal: controller.signal })
  await session.next('publish')
  controller.abort(new Error('enough'))
  t.is(((await rejection(atOnce, 'the request', aborted)) as Error).message, 'enough')
  const never = client.request('ask', 'y', { signal: controller.signal })
  t.is(((await rejection(atOnce, 'the request', never)) as Error).message, 'enough')
  await roundTrip(client, session)
  reply(session, request)
  t.is((await within(patience, 'the answer', answer)).text(), 'answer')
})

test('what no request asked for is dropped', async (t) => {
  const { client, session, answer, request } = await requesting(t)
  const unasked = [undefined, Buffer.alloc(0), Buffer.from([9, 9, 9, 9]), Buffer.alloc(5), Buffer.alloc(4)]
  for (const correlationData of unasked) {
    reply(session, { ...request, properties: { ...request.properties, correlationData } })
  }
  await roundTrip(client, session)
  t.true(await isPending(answer))
  reply(session, request)
  t.is((await within(patience, 'the answer', answer)).text(), 'answer')
})

test('when the connection goes, what is pending rejects at once with the reason', async (t) => {
  const { client, peer, session, answer } = await requesting(t)
  const second = client.request('ask', 'x', { qos: 1 })
  await session.next('publish')
  session.send({ cmd: 'disconnect', reasonCode: 0x8b })
  for (const pending of [answer, second]) {
    const error = (await rejection(atOnce, 'the request', pending)) as MqttCodeError
    t.is(error.message, '[code:139] Server shutting down')
    t.regex(error.stack ?? '', /request\.test/)
  }
  const connecting = client.connect()
  const next = await peer.welcome()
  await within(patience, 'connecting', connecting)
  const third = client.request('ask')
  await next.next('subscribe')
  await client.disconnect()
  t.is(
    ((await rejection(atOnce, 'the request', third)) as Error).message,
    '[code:7] The connection was lost.',
  )
})

test('with reconnect requests go on over a lost connection, and their answers come on the next one', async (t) => {
  const { client, peer, session, answer, request: first } = await requesting(t, { reconnect: quickly })
  const second = client.request('ask', 'x', { qos: 1 })
  const lost = await session.next('publish')
  session.close()
  const next = await welcomed(peer)
  const again = await next.next('subscribe')
  t.is(again.subscriptions[0]?.topic, String(lost.properties?.responseTopic))
  accept(next, again)
  const request = await next.next('publish')
  t.deepEqual(request.properties?.correlationData, lost.properties?.correlationData)
  next.send({ cmd: 'puback', messageId: request.messageId ?? 0 })
  reply(next, request, 'late')
  t.is((await within(patience, 'the answer', second)).text(), 'late')
  // This one had been sent: whoever serves it may have been at it all the while.
  reply(next, first, 'at last')
  t.is((await within(patience, 'the answer', answer)).text(), 'at last')
  const third = client.request('ask', 'y')
  reply(next, await next.next('publish'), 'soon')
  t.is((await within(patience, 'the answer', third)).text(), 'soon')
})

for (const resubscribe of [true, false]) {
  test(`a broker without the session is asked for the answers again (resubscribe: ${resubscribe})`, async (t) => {
    const reconnect = { ...quickly, resubscribe }
    const { client, peer, session, answer, request: first } = await requesting(t, { reconnect })
    reply(session, first, 'first')
    await within(patience, 'the answer', answer)
    let current = session
    for (const text of ['second', 'third']) {
      current.reset()
      await reached(client, 'reconnecting')
      const asking = client.request('ask', text)
      const next = await welcomed(peer)
      accept(next, await next.next('subscribe'))
      reply(next, await next.next('publish'), text)
      t.is((await within(patience, 'the answer', asking)).text(), text)
      current = next
    }
  })
}

test('requests reject at once when the answers are refused on the next connection', async (t) => {
  const { peer, session, answer } = await requesting(t, { reconnect: quickly })
  session.reset()
  const next = await welcomed(peer)
  const { messageId = 0 } = await next.next('subscribe')
  next.send({ cmd: 'suback', messageId, granted: [0x87] })
  t.is(((await rejection(atOnce, 'the request', answer)) as Error).message, '[code:135] Not authorized')
})

test('correlation data tells nothing of that of another request', async (t) => {
  const { client, session, request, answer } = await requesting(t)
  answer.catch(() => {})
  const seen = new Set([String(request.properties?.correlationData?.toString('hex'))])
  for (let count = 0; count < 50; count++) {
    client.request('ask', 'x').catch(() => {})
    const { properties } = await session.next('publish')
    t.true((properties?.correlationData?.length ?? 0) >= 16)
    seen.add(String(properties?.correlationData?.toString('hex')))
  }
  t.is(seen.size, 51)
  // No byte is the same in all of them, as in a number that counts.
  const all = [...seen].map((text) => Buffer.from(text, 'hex'))
  for (let at = 0; at < 16; at++) t.true(new Set(all.map((data) => data[at])).size > 5)
})

test('a request that the broker refuses rejects with its reason', async (t) => {
  const { client, session, answer } = await requesting(t)
  const refused = client.request('ask', 'x', { qos: 1 })
  const { messageId } = await session.next('publish')
  session.send({ cmd: 'puback', messageId, reasonCode: 0x97 })
  t.is(((await rejection(atOnce, 'the request', refused)) as Error).message, '[code:151] Quota exceeded')
  t.true(await isPending(answer))
  await client.disconnect()
  await rejection(atOnce, 'the first request', answer)
})

test('bad arguments, and a client that cannot ask, are refused before anything is sent', async (t) => {
  const server = { host: '127.0.0.1', port: 1 }
  const offline = clientOf(t, server, v5)
  const cases: Array<[Promise<unknown>, string]> = [
    [clientOf(t, server).request('a'), 'RangeError: Requests only apply to MQTT V5'],
    [offline.request('a/#'), 'RangeError: Publish topic cannot contain wildcards.'],
    [
      offline.request('a', '', { properties: { responseTopic: 'b' } }),
      'RangeError: request() sets the property responseTopic itself',
    ],
    [
      offline.request('a', '', { properties: { correlationData: Buffer.alloc(1) } }),
      'RangeError: request() sets the property correlationData itself',
    ],
    [
      offline.request('a', '', { quos: 1 } as object),
      "TypeError: Client.request() got an unexpected keyword argument 'quos'. Did you mean 'qos'?",
    ],
    [offline.request('a'), 'MqttCodeError: [code:4] The client is not currently connected.'],
    [offline.request('a', '', { timeout: 0 }), 'MqttError: Operation timed out'],
  ]
  for (const [request, expected] of cases) {
    const error = (await rejection(atOnce, 'the request', request)) as Error
    t.is(`${error.name}: ${error.message}`, expected)
    t.regex(error.stack ?? '', /request\.test/)
  }
})
