import anyTest, { type TestFn } from 'ava'
import { connected, freshTopic } from '../helpers/client.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { protocols } from '../helpers/protocols.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

for (const { name, protocol } of protocols) {
  test(`${name}: each message goes to one member of a group, and to each group`, async (t) => {
    const topic = freshTopic()
    const publisher = await connected(t, t.context.broker, { protocol })
    const groups = ['red', 'red', 'red', 'blue']
    const members = await Promise.all(groups.map(() => connected(t, t.context.broker, { protocol })))
    for (const [index, member] of members.entries())
      await member.subscribe(`$share/${groups[index]}/${topic}/#`, { qos: 1 })
    const count = 300
    const received: Record<string, number[]> = { red: [], blue: [] }
    const shares = members.map(() => 0)
    const collecting = members.map(async (member, index) => {
      const own = received[groups[index] as string] as number[]
      for await (const message of member.messages) {
        if (message.text() === 'end') break
        t.true(message.topic.matches(`$share/any/${topic}/#`))
        own.push(Number(message.text()))
        shares[index] = (shares[index] ?? 0) + 1
      }
    })
    await Promise.all(
      Array.from({ length: count }, (_, index) => publisher.publish(`${topic}/x`, index, { qos: 1 })),
    )
    for (const member of members) {
      const own = `${topic}-end/${members.indexOf(member)}`
      await member.subscribe(own)
      await publisher.publish(own, 'end', { qos: 1 })
    }
    await Promise.all(collecting)
    const all = Array.from({ length: count }, (_, index) => index)
    t.deepEqual(
      received.red?.sort((a, b) => a - b),
      all,
    )
    t.deepEqual(received.blue, all)
    t.true(shares.every((share) => share > 0))
  })
}
