import {
  MqttCodeError,
  type MqttError,
  ProtocolVersion,
  type ReasonCode,
  type SubscribeCallOptions,
  SubscribeOptions,
  type SubscribeTopic,
  Wildcard,
} from 'aiomqtt'
import test from 'ava'
import { field, hex, packet } from '../helpers/bytes.js'
import { atOnce, isPending, paired, patience, roundTrip } from '../helpers/client.js'
import { rejection, within } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'

const v5 = { protocol: ProtocolVersion.V5 }

for (const { name, protocol } of protocols) {
  const properties = protocol === ProtocolVersion.V5 ? '00' : ''

  const forms: Array<[string, SubscribeTopic, SubscribeCallOptions, string[]]> = [
    ['a filter', 'ä/#', {}, [field('ä/#'), '00']],
    ['a filter with QoS 2', 'a', { qos: 2 }, [field('a'), '02']],
    ['a Wildcard', new Wildcard('a/+/b'), { qos: 1 }, [field('a/+/b'), '01']],
    ['a filter and its QoS', ['a', 1], {}, [field('a'), '01']],
    [
      'several filters with a QoS each',
      [
        ['a', 0],
        ['b/#', 1],
        ['c', 2],
      ],
      {},
      [field('a'), '00', field('b/#'), '01', field('c'), '02'],
    ],
    ['several filters with one QoS', ['a', 'b'], { qos: 1 }, [field('a'), '01', field('b'), '01']],
    ['a shared subscription', '$share/group/a/#', {}, [field('$share/group/a/#'), '00']],
  ]
  for (const [what, topic, options, body] of forms) {
    test(`${name}: subscribe() takes ${what}`, async (t) => {
      const { client, session } = await paired(t, { protocol })
      const subscribing = client.subscribe(topic, options)
      const { hex: sent, subscriptions } = await session.next('subscribe')
      t.is(sent, packet('82', '0001', properties, ...body))
      t.true(await isPending(subscribing))
      session.send({ cmd: 'suback', messageId: 1, granted: subscriptions.map(({ qos }) => qos) })
      const codes = await within(patience, 'subscribing', subscribing)
      t.deepEqual(
        codes.map(Number),
        subscriptions.map(({ qos }) => qos),
      )
    })
  }

  test(`${name}: a refused filter is told by its reason code and does not throw`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const subscribing = client.subscribe(['a', 'b'])
    await session.next('subscribe')
    session.send({ cmd: 'suback', messageId: 1, granted: [128, 0] })
    const [first, second] = (await within(patience, 'subscribing', subscribing)) as [ReasonCode, ReasonCode]
    t.is(first.getName(), 'Unspecified error')
    t.true(first.isFailure)
    t.is(second.getName(), 'Granted QoS 0')
    t.false(second.isFailure)
  })

  test(`${name}: unsubscribe() takes a filter, a Wildcard, or several`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const cases = [
      ['a/#', [field('a/#')]],
      [new Wildcard('+/b'), [field('+/b')]],
      [
        ['a', new Wildcard('b')],
        [field('a'), field('b')],
      ],
    ] as const
    let identifier = 0
    for (const [filters, body] of cases) {
      const unsubscribing = client.unsubscribe(filters as string)
      const { hex: sent, unsubscriptions } = await session.next('unsubscribe')
      identifier += 1
      t.is(sent, packet('a2', hex('00', `0${identifier}`), properties, ...body))
      t.true(await isPending(unsubscribing))
      session.send({ cmd: 'unsuback', messageId: identifier, granted: unsubscriptions.map(() => 0) })
      t.is(await within(patience, 'unsubscribing', unsubscribing), undefined)
    }
  })

  test(`${name}: answers settle the calls they belong to, in any order`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const first = client.subscribe('a', { qos: 1 })
    const second = client.subscribe('b', { qos: 1 })
    const third = client.unsubscribe('c')
    await session.take('subscribe', 2)
    await session.next('unsubscribe')
    session.send({ cmd: 'unsuback', messageId: 3, granted: [0] })
    await within(patience, 'unsubscribing', third)
    session.send({ cmd: 'suback', messageId: 2, granted: [0] })
    t.deepEqual((await within(patience, 'subscribing', second)).map(Number), [0])
    t.true(await isPending(first))
    session.send({ cmd: 'suback', messageId: 1, granted: [1] })
    t.deepEqual((await within(patience, 'subscribing', first)).map(Number), [1])
  })

  test(`${name}: a call that is not answered in time rejects, and its late answer is absorbed`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const subscribing = rejection(patience, 'subscribing', client.subscribe('a', { timeout: 0.05 }))
    const unsubscribing = rejection(patience, 'unsubscribing', client.unsubscribe('a', { timeout: 0.05 }))
    t.is(((await subscribing) as MqttError).message, 'Operation timed out')
    t.is(((await unsubscribing) as MqttError).message, 'Operation timed out')
    await session.next('subscribe')
    await session.next('unsubscribe')
    session.send(
      { cmd: 'suback', messageId: 1, granted: [0] },
      { cmd: 'unsuback', messageId: 2, granted: [0] },
    )
    await roundTrip(client, session)
    t.pass()
  })

  test(`${name}: a call can be given up by its signal`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const signal = AbortSignal.timeout(50)
    const reasons = [
      rejection(patience, 'subscribing', client.subscribe('a', { signal })),
      rejection(patience, 'unsubscribing', client.unsubscribe('a', { signal })),
    ]
    for (const reason of await Promise.all(reasons)) t.is((reason as Error).name, 'TimeoutError')
    await session.next('subscribe')
    await session.next('unsubscribe')
    session.send(
      { cmd: 'suback', messageId: 1, granted: [0] },
      { cmd: 'unsuback', messageId: 2, granted: [0] },
    )
    await roundTrip(client, session)
  })

  for (const [what, granted] of [
    ['too few', [0]],
    ['too many', [0, 0, 0]],
  ] as const) {
    test(`${name}: a SUBACK with ${what} codes ends the connection`, async (t) => {
      const { client, session } = await paired(t, { protocol })
      const reason = rejection(atOnce, 'subscribing', client.subscribe(['a', 'b']))
      await session.next('subscribe')
      session.send({ cmd: 'suback', messageId: 1, granted: [...granted] })
      t.true((await reason) instanceof MqttCodeError)
      await within(patience, 'the end of the connection', session.ended)
    })
  }

  test(`${name}: a SUBACK with a code that does not exist ends the connection`, async (t) => {
    const { client, session } = await paired(t, { protocol })
    const reason = rejection(atOnce, 'subscribing', client.subscribe('a'))
    await session.next('subscribe')
    session.send(protocol === ProtocolVersion.V5 ? '90 04 0001 00 03' : '90 03 0001 03')
    t.true((await reason) instanceof MqttCodeError)
    await within(patience, 'the end of the connection', session.ended)
  })
}

const options: Array<[string, SubscribeOptions | object, string]> = [
  ['no local', { noLocal: true }, '04'],
  ['retain as published', { retainAsPublished: true }, '08'],
  ['retain handling 1', { retainHandling: 1 }, '10'],
  ['retain handling 2', { retainHandling: 2 }, '20'],
  [
    'all of them',
    new SubscribeOptions({ qos: 2, noLocal: true, retainAsPublished: true, retainHandling: 2 }),
    '2e',
  ],
]
for (const [what, option, byte] of options) {
  test(`MQTT 5: SUBSCRIBE carries ${what}, given for the call or for a filter`, async (t) => {
    const { client, session } = await paired(t, v5)
    const subscribing = [
      client.subscribe('a', { options: option }),
      client.subscribe(['b', option]),
      client.subscribe([['c', option]]),
    ]
    for (const topic of ['a', 'b', 'c']) {
      const { hex: sent, messageId = 0 } = await session.next('subscribe')
      t.is(sent, packet('82', `000${messageId}`, '00', field(topic), byte))
      session.send({ cmd: 'suback', messageId, granted: [0] })
    }
    await within(patience, 'subscribing', Promise.all(subscribing))
  })
}

test('MQTT 5: SUBSCRIBE carries a subscription identifier and user properties', async (t) => {
  const { client, session } = await paired(t, v5)
  const properties = {
    subscriptionIdentifier: [268_435_455],
    userProperty: [['k', 'v']] as Array<[string, string]>,
  }
  const subscribing = client.subscribe('a', { properties })
  const { properties: sent } = await session.next('subscribe')
  t.is(sent?.subscriptionIdentifier, 268_435_455)
  t.deepEqual({ ...sent?.userProperties }, { k: 'v' })
  session.send({ cmd: 'suback', messageId: 1, granted: [0] })
  await within(patience, 'subscribing', subscribing)
})

test('MQTT 5: UNSUBSCRIBE carries user properties', async (t) => {
  const { client, session } = await paired(t, v5)
  const unsubscribing = client.unsubscribe('a', { properties: { userProperty: ['k', 'v'] } })
  t.is(
    (await session.next('unsubscribe')).hex,
    packet('a2', '0001 07 26', field('k'), field('v'), field('a')),
  )
  session.send({ cmd: 'unsuback', messageId: 1, granted: [0] })
  await within(patience, 'unsubscribing', unsubscribing)
})

test('MQTT 5: SUBACK may carry properties, and names its reasons', async (t) => {
  const { client, session } = await paired(t, v5)
  const subscribing = client.subscribe(['a', 'b', 'c'])
  await session.next('subscribe')
  session.send({
    cmd: 'suback',
    messageId: 1,
    granted: [135, 2, 143],
    properties: { reasonString: 'because' },
  })
  const codes = await within(patience, 'subscribing', subscribing)
  t.deepEqual(codes.map(String), ['Not authorized', 'Granted QoS 2', 'Topic filter invalid'])
})

test('MQTT 5: a negative UNSUBACK rejects with its reason', async (t) => {
  const { client, session } = await paired(t, v5)
  const unsubscribing = client.unsubscribe(['a', 'b'])
  await session.next('unsubscribe')
  session.send({ cmd: 'unsuback', messageId: 1, granted: [0, 135] })
  await t.throwsAsync(unsubscribing, { instanceOf: MqttCodeError, message: '[code:135] Not authorized' })
})

test('MQTT 5: unsubscribing from what was not subscribed is a success', async (t) => {
  const { client, session } = await paired(t, v5)
  const unsubscribing = client.unsubscribe('a')
  await session.next('unsubscribe')
  session.send({ cmd: 'unsuback', messageId: 1, granted: [17] })
  t.is(await within(patience, 'unsubscribing', unsubscribing), undefined)
})

test('MQTT 5: an UNSUBACK with the wrong number of codes ends the connection', async (t) => {
  const { client, session } = await paired(t, v5)
  const reason = rejection(atOnce, 'unsubscribing', client.unsubscribe(['a', 'b']))
  await session.next('unsubscribe')
  session.send({ cmd: 'unsuback', messageId: 1, granted: [0] })
  t.true((await reason) instanceof MqttCodeError)
  await within(patience, 'the end of the connection', session.ended)
})

const bad: Array<[string, unknown, SubscribeCallOptions, ErrorConstructor, string | RegExp]> = [
  ['an empty filter', '', {}, RangeError, /^Invalid (topic|subscription filter)\.$/],
  ['a filter with # in the middle', 'a/#/b', {}, RangeError, 'Invalid subscription filter.'],
  ['a filter with # in a name', 'a#', {}, RangeError, 'Invalid subscription filter.'],
  ['a filter with + in a name', '+a', {}, RangeError, 'Invalid subscription filter.'],
  ['a filter of 65536 bytes', 'ä'.repeat(32_768), {}, RangeError, 'Invalid subscription filter.'],
  ['no filter', [], {}, RangeError, 'Empty topic list'],
  ['null', null, {}, TypeError, 'No topic specified, or incorrect topic type.'],
  ['a number', 5, {}, TypeError, 'No topic specified, or incorrect topic type.'],
  ['QoS 3', 'a', { qos: 3 as 2 }, RangeError, 'Invalid QoS level.'],
  ['QoS 3 of one filter', [['a', 3]], {}, RangeError, 'Invalid QoS level.'],
  ['an unknown option', 'a', { qoS: 1 } as object, TypeError, /qoS.*qos/s],
]
for (const [what, topic, callOptions, instanceOf, message] of bad) {
  test(`subscribe() refuses ${what} before anything is sent, offline too`, async (t) => {
    const { client, session } = await paired(t)
    await t.throwsAsync(client.subscribe(topic as string, callOptions), { instanceOf, message })
    await roundTrip(client, session)
    await client.disconnect()
    await t.throwsAsync(client.subscribe(topic as string, callOptions), { instanceOf, message })
  })
}

const badFilters: Array<[string, unknown, ErrorConstructor, string]> = [
  ['an empty filter', '', RangeError, 'Invalid topic.'],
  ['an empty filter among others', ['a', ''], RangeError, 'Invalid topic.'],
  ['a number', 5, TypeError, 'No topic specified, or incorrect topic type.'],
]
for (const [what, topic, instanceOf, message] of badFilters) {
  test(`unsubscribe() refuses ${what} before anything is sent, offline too`, async (t) => {
    const { client, session } = await paired(t)
    await t.throwsAsync(client.unsubscribe(topic as string), { instanceOf, message })
    await roundTrip(client, session)
    await client.disconnect()
    await t.throwsAsync(client.unsubscribe(topic as string), { instanceOf, message })
  })
}

test('unsubscribe() refuses an empty list before anything is sent', async (t) => {
  const { client, session } = await paired(t)
  const error = await rejection(atOnce, 'unsubscribing', client.unsubscribe([]))
  t.true(error instanceof RangeError)
  await roundTrip(client, session)
})

test('MQTT 5: qos and options cannot be combined', async (t) => {
  const { client, session } = await paired(t, v5)
  await t.throwsAsync(client.subscribe('a', { qos: 1, options: { noLocal: true } }), {
    instanceOf: RangeError,
    message: 'Subscribe options and qos parameters cannot be combined.',
  })
  await roundTrip(client, session)
})

test('MQTT 5: properties of another packet are refused', async (t) => {
  const { client, session } = await paired(t, v5)
  const properties = { topicAlias: 1 }
  await t.throwsAsync(client.subscribe('a', { properties }), { message: /TopicAlias|topicAlias/ })
  await t.throwsAsync(client.unsubscribe('a', { properties }), { message: /TopicAlias|topicAlias/ })
  await t.throwsAsync(client.publish('a', '', { properties: { receiveMaximum: 1 } }), {
    message: /eceiveMaximum/,
  })
  await roundTrip(client, session)
})
