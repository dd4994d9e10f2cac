import { Client } from 'aiomqtt'
import anyTest, { type TestFn } from 'ava'
import { runCommand, startCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ broker: Mosquitto; server: Client }>

test.before(async (t) => {
  const broker = await Mosquitto.start({ packets: true })
  const server = await Client.connect(broker.host, broker.port, { protocol: 5 })
  await server.subscribe('rr/+/question', { qos: 1 })
  t.context = { broker, server }
  void answer(server)
})
test.after.always(async (t) => {
  await t.context.server?.disconnect()
  await t.context.broker?.stop()
})

/** Answers each question with what it asked, in capital letters; before that somebody else's answer comes. */
async function answer(server: Client): Promise<void> {
  try {
    for await (const { properties, payload, topic } of server.messages) {
      const to = properties?.responseTopic ?? topic.value.replace('question', 'answer')
      const correlationData = properties?.correlationData
      if (correlationData !== undefined) {
        await server.publish(to, 'not yours', { properties: { correlationData: Buffer.from('other') } })
      }
      const text = payload.toString().toUpperCase()
      await server.publish(to, text, { properties: correlationData && { correlationData } })
    }
  } catch {
    // The test is over.
  }
}

test('a request with a response topic of its own', async (t) => {
  const { port } = t.context.broker
  const { code, output, errors } = await runCommand(t, [
    'rr',
    '-p',
    port,
    '-t',
    'rr/a/question',
    '-m',
    'hello',
  ])
  t.deepEqual([code, String(output), errors], [0, 'HELLO\n', ''])
})

test('a request with the response topic of -e, and its output as JSON', async (t) => {
  const { port } = t.context.broker
  const args = ['rr', '-p', port, '-t', 'rr/b/question', '-e', 'rr/b/here', '-s', '--json']
  const { code, output } = await runCommand(t, args, { input: 'from stdin' })
  t.is(code, 0)
  const { topic, payload } = JSON.parse(String(output))
  t.deepEqual([topic, payload], ['rr/b/here', 'FROM STDIN'])
})

test('MQTT 3.1.1 takes the first message of -e, and needs it', async (t) => {
  const { port } = t.context.broker
  const args = ['rr', '-V', '311', '-p', port, '-t', 'rr/c/question', '-m', 'x']
  const { code, output } = await runCommand(t, [...args, '-e', 'rr/c/answer', '-v'])
  t.deepEqual([code, String(output)], [0, 'rr/c/answer X\n'])
  const refused = await runCommand(t, args)
  t.is(refused.code, 1)
  t.regex(refused.errors, /give the one to listen to with -e/)
})

test('no response in the time of -W', async (t) => {
  const { port } = t.context.broker
  for (const more of [[], ['-e', 'rr/nobody/answer']]) {
    const args = ['rr', '-p', port, '-t', 'rr/nobody', '-m', 'x', '-W', 0.2, ...more]
    const { code, errors } = await runCommand(t, args)
    t.deepEqual([code, errors], [27, 'Error: No response in time\n'])
  }
})

test('SIGINT ends the waiting', async (t) => {
  const { broker } = t.context
  const command = startCommand(t, [
    'rr',
    '-p',
    broker.port,
    '-i',
    'rr-interrupted',
    '-t',
    'rr/nobody',
    '-m',
    'x',
  ])
  await broker.logged(/Received PUBLISH from rr-interrupted/)
  command.process.kill('SIGINT')
  const { code, errors } = await command.ended
  t.deepEqual([code, errors], [130, ''])
})

test('options that make no sense', async (t) => {
  for (const [args, error] of [
    [['-m', 'x'], /There must be a topic/],
    [['-t', 'a'], /There must be one of -m, -f, -n and -s/],
    [['-t', 'a/#', '-m', 'x'], /wildcards/i],
    [['-t', 'a', '-m', 'x', '-e', 'b/#'], /wildcards/i],
    [['-t', 'a', '-m', 'x', '--json', '--pretty'], /--json cannot be used/],
  ] as const) {
    const { code, errors } = await runCommand(t, ['rr', '-p', 1, ...args])
    t.is(code, 1)
    t.regex(errors, error)
  }
})
