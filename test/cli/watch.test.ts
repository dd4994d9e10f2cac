import { Client } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { startCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ broker: Mosquitto; client: Client }>

test.before(async (t) => {
  const broker = await Mosquitto.start({ packets: true })
  t.context = { broker, client: await Client.connect(broker.host, broker.port) }
})
test.after.always(async (t) => {
  await t.context.client?.disconnect()
  await t.context.broker?.stop()
})

for (const { name, more, expected } of [
  {
    name: 'all levels',
    more: [],
    expected: [
      /^4 messages, \d+ B, 3 topics$/,
      /^topic +rate +messages +size {2}last value$/,
      /^watch\/ /,
      /^ {2}kitchen\/ /,
      /^ {4}humidity +(?:[\d.]+\/s)? +1 +2 B {2}40$/,
      /^ {4}temperature +(?:[\d.]+\/s)? +2 +4 B {2}20\.5$/,
      /^ {2}steer +(?:[\d.]+\/s)? +1 +\d+ B {2}\\x1b\[2J\\nnext$/,
    ],
  },
  {
    name: '--depth sums up what is below',
    more: ['--depth', '2'],
    expected: [/^4 messages/, /^topic/, /^watch\/ /, /^ {2}kitchen\/ +(?:[\d.]+\/s)? +3 /, /^ {2}steer /],
  },
]) {
  test(`the tree of topics: ${name}`, async (t) => {
    const { broker, client } = t.context
    const id = `watch-${more.length}`
    const args = ['watch', '-p', broker.port, '-i', id, '-t', 'watch/#', '-C', 4, ...more]
    const command = startCommand(t, args)
    await Promise.race([broker.logged(new RegExp(`Sending SUBACK to ${id}`)), command.ended])
    await client.publish('watch/kitchen/temperature', '20.4')
    await client.publish('watch/kitchen/humidity', '40')
    await client.publish('watch/kitchen/temperature', '20.5')
    await client.publish('watch/steer', '\u001b[2J\nnext')
    const { code, output } = await command.ended
    t.is(code, 0)
    const lines = String(output)
      .split('\n')
      .filter((line) => line !== '')
    t.is(lines.length, expected.length, String(output))
    for (const [index, pattern] of expected.entries()) t.regex(lines[index] ?? '', pattern)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
    t.notRegex(String(output), /[\u0000-\u0009\u000b-\u001f]/)
  })
}
