// What goes to a terminal must not steer it; what goes to a file or a program is what was published, byte for byte.

import { Client } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { startCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ broker: Mosquitto; client: Client }>

test.before(async (t) => {
  const broker = await Mosquitto.start({ packets: true })
  t.context = { broker, client: await Client.connect(broker.host, broker.port, { protocol: 5 }) }
})
test.after.always(async (t) => {
  await t.context.client?.disconnect()
  await t.context.broker?.stop()
})

const terminal = { NODE_OPTIONS: '--import=data:text/javascript,process.stdout.isTTY=true' }

const payload = '\u001b]0;title\u0007\u202ea\tb\r\nforged c\u009bd'
const shown = String.raw`\x1b]0;title\x07\u202ea	b\r\nforged c\x9bd`
// Mosquitto takes no other control characters in a string.
const properties = { contentType: 'x\u202ey', userProperty: [['k', '\u2066v']] } as const

const cases = [
  { args: ['-v'], piped: `hostile ${payload}\n`, onTerminal: `hostile ${shown}\n` },
  { args: [], piped: `${payload}\n`, onTerminal: `${shown}\n` },
  {
    // What the format itself has is the user's own.
    args: ['-V', 'mqttv5', '-F', '\\e[1m%t %C %P\\n%.4p'],
    piped: `\u001b[1mhostile x\u202ey k:\u2066v\n${payload}\n`,
    onTerminal: `\u001b[1mhostile x\\u202ey k:\\u2066v\n${shown}\n`,
  },
  {
    args: ['--json', '-V', 'mqttv5'],
    piped: /"content-type":"x\u202ey".*"payload":".*\u202ea.*c\u009bd/,
    onTerminal: /"content-type":"x\\u202ey".*"payload":".*\\u202ea.*c\\x9bd/,
  },
]

for (const [index, { args, ...expected }] of cases.entries()) {
  for (const where of ['piped', 'onTerminal'] as const) {
    test(`sub ${args.join(' ')} ${where}`, async (t) => {
      const { broker, client } = t.context
      const id = `terminal-${index}-${where}`
      const all = ['sub', '-p', broker.port, '-i', id, '-t', `${id}/+`, '-C', 1, ...args]
      const command = startCommand(t, all, where === 'piped' ? {} : terminal)
      await Promise.race([broker.logged(new RegExp(`Sending SUBACK to ${id}`)), command.ended])
      await client.publish(`${id}/hostile`, payload, { properties })
      const { code, errors, output } = await command.ended
      t.is(code, 0, errors)
      const text = String(output).replaceAll(`${id}/`, '')
      const wanted = expected[where]
      if (typeof wanted === 'string') t.is(text, wanted)
      else t.regex(text, wanted)
    })
  }
}
