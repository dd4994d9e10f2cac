import type { MqttCodeError } from 'aiomqtt'
import test from 'ava'
import { paired, roundTrip } from '../helpers/client.js'
import { rejection } from '../helpers/deadline.js'
import { protocols } from '../helpers/protocols.js'

for (const { name, protocol } of protocols) {
  test(`${name}: an idle client sends PINGREQ, and lives on when it is answered`, async (t) => {
    const started = performance.now()
    const { client, session } = await paired(t, { protocol, keepalive: 1 })
    for (let round = 0; round < 3; round++) {
      t.is((await session.next('pingreq')).hex, 'c000')
      session.send('d0 00')
    }
    const elapsed = performance.now() - started
    // A little early, never late.
    t.true(elapsed > 2_500 && elapsed < 4_500, `three pings took ${elapsed} ms`)
    await roundTrip(client, session)
  })

  test(`${name}: a broker that does not answer PINGREQ is given up, and pending calls reject with that reason`, async (t) => {
    const { client, session } = await paired(t, { protocol, keepalive: 1 })
    const started = performance.now()
    const next = rejection(5_000, 'next()', client.messages.next())
    const publishing = rejection(5_000, 'publishing', client.publish('a', '', { qos: 1 }))
    await session.next('publish')
    await session.next('pingreq')
    const error = (await next) as Error
    t.is(error.message, 'Disconnected during message iteration')
    t.is((error.cause as MqttCodeError).message, '[code:141] Keep alive timeout')
    t.is(((await publishing) as MqttCodeError).message, '[code:141] Keep alive timeout')
    const elapsed = performance.now() - started
    t.true(elapsed > 1_500 && elapsed < 4_000, `it took ${elapsed} ms`)
    await session.ended
  })

  test(`${name}: a client that publishes QoS 0 to a peer that only takes still notices its silence`, async (t) => {
    const { client } = await paired(t, { protocol, keepalive: 1 })
    const publishing = setInterval(() => client.publish('a', 'x').catch(() => {}), 100)
    t.teardown(() => clearInterval(publishing))
    const error = (await rejection(6_000, 'next()', client.messages.next())) as Error
    t.is((error.cause as MqttCodeError).message, '[code:141] Keep alive timeout')
  })
}

test('MQTT 5: the broker’s Server Keep Alive replaces the client’s', async (t) => {
  const { session } = await paired(t, { protocol: 5, keepalive: 60 }, { properties: { serverKeepAlive: 1 } })
  await session.next('pingreq')
  t.pass()
})
