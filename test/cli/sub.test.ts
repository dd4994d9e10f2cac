import { Client } from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import {
  forEachFew,
  runCommand,
  type Started,
  startCommand,
  startMosquitto,
} from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

interface Context {
  broker: Mosquitto
  client: Client
}

const test = anyTest as TestFn<Context>

test.before(async (t) => {
  const broker = await Mosquitto.start({ packets: true })
  const client = await Client.connect(broker.host, broker.port, { protocol: 5 })
  t.context = { broker, client }
})
test.after.always(async (t) => {
  await t.context.client?.disconnect()
  await t.context.broker?.stop()
})

let identifiers = 0

/** Starts it, and waits until the broker has its subscriptions. */
async function subscribed(
  t: ExecutionContext<Context>,
  tool: 'aiomqtt' | 'mosquitto',
  args: Array<string | number>,
): Promise<Started> {
  const { broker } = t.context
  const id = `sub-${process.pid}-${identifiers++}`
  const all = ['-p', broker.port, '-i', id, ...args]
  const started = tool === 'aiomqtt' ? startCommand(t, ['sub', ...all]) : startMosquitto(t, 'sub', all)
  await Promise.race([broker.logged(new RegExp(`Sending SUBACK to ${id}`)), started.ended])
  return started
}

const bytes = Buffer.from(Array.from({ length: 300 }, (_, index) => index % 256))

const properties = {
  contentType: 'text/plain',
  correlationData: Buffer.from('id'),
  messageExpiryInterval: 60,
  payloadFormatIndicator: 1,
  responseTopic: 'answer',
  userProperty: [['one', '1'] as const, ['two', 'é'] as const],
}

const formats: Array<Array<string | number>> = [
  [],
  ['-v'],
  ['-N'],
  ['-v', '-N'],
  ['-F', '%t %p %l %q %r %m'],
  ['-F', '%x|%X|%10x|%-10X|%05x|%3p|%-12p|%012p'],
  ['-F', '[%20t][%-20t][%.5t][%8.3t][%-8.3t][%020t]'],
  ['-F', '[%6l][%-6l][%06l][%-06l][%4m]'],
  ['-F', '%%@@\\\\\\n\\t\\r\\a\\e\\v\\0end'],
  ['-F', '@Y-@m-@d @H @j @a @A @b @B @C @D @e @F @g @G @h @I @p @P @u @U @V @w @W @x @y @z @c|@R @Q @E'],
  ['-F', 'é %t ✓ %.4t'],
  ['-F', '%C|%10C|%-10C|%.3C|%D|%E|%06E|%F|%P|%R|%12R|%S|%4S|%A|%4A', '-V', 5],
  ['-F', '%j', '-V', 5, '-q', 1],
  ['-F', '%j', '--pretty', '-V', 5],
]
test.serial('it prints what mosquitto_sub prints', async (t) => {
  const { client } = t.context
  await forEachFew(formats, async (format) => {
    const topic = `sub/formats/${formats.indexOf(format)}`
    const rest = [...format, '-t', topic, '-C', 4]
    const both = [await subscribed(t, 'aiomqtt', rest), await subscribed(t, 'mosquitto', rest)]
    const isText = format.includes('%j')
    // A broker may change the order of properties, and JSON shows it.
    const { contentType, userProperty } = properties
    await client.publish(topic, 'grüße "x" \\ \n', {
      properties: isText ? { contentType, userProperty } : properties,
    })
    await client.publish(topic, null)
    await client.publish(topic, isText ? '\u0001\u001f\b\f/' : bytes.subarray(0, 200))
    await client.publish(topic, '{"a": [1, {"b": null}], "c": {}}', { qos: 1 })
    const [ours, theirs] = await Promise.all(both.map(({ ended }) => ended))
    const what = format.join(' ')
    t.is(ours.errors, '', what)
    t.is(stable(ours.output), stable(theirs.output), what)
    t.deepEqual([ours.code, theirs.code], [0, 0], what)
  })
})

/** Without the seconds of @c and the time of day in %j, which are not the same for two programs. */
function stable(output: Buffer): string {
  const text = output.toString('latin1').replaceAll(/(\d\d:\d\d):\d\d/g, '$1:…')
  return text.replaceAll(/("tst":\s*"[^"]{10}T)[^"]{15}/g, '$1…')
}

test.serial('%J has the payload as the JSON that it is', async (t) => {
  const rest = ['-F', '%J', '-t', 'sub/json', '-C', 1]
  const both = [await subscribed(t, 'aiomqtt', rest), await subscribed(t, 'mosquitto', rest)]
  await t.context.client.publish('sub/json', '{"a": [1, 2.5, "x"], "b": null}')
  const [ours, theirs] = await Promise.all(
    both.map(async ({ ended }) => JSON.parse(String((await ended).output))),
  )
  t.deepEqual({ ...ours, tst: '' }, { ...theirs, tst: '' })
})

test.serial('times: %I, %U and @s are now', async (t) => {
  const started = await subscribed(t, 'aiomqtt', ['-F', '%I|%U|@s.@N|@Z', '-t', 'sub/time', '-C', 1])
  await t.context.client.publish('sub/time', 'x')
  const { output } = await started.ended
  const [iso = '', unix, seconds] = String(output).split('|')
  t.regex(iso, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d{4}$/)
  const now = Date.now() / 1000
  t.true(Math.abs(Number(unix) - now) < 30)
  t.true(Math.abs(Number(seconds) - now) < 30)
})

test.serial('--json is a line of JSON for each message, also for bytes that are no text', async (t) => {
  const started = await subscribed(t, 'aiomqtt', ['--json', '-t', 'sub/lines', '-C', 2, '-V', 5])
  await t.context.client.publish('sub/lines', 'text\n')
  await t.context.client.publish('sub/lines', bytes, { properties: { contentType: 'x' } })
  const { output } = await started.ended
  const [first, second] = String(output)
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line))
  t.is(first.payload, 'text\n')
  t.deepEqual(Buffer.from(second.payload_base64, 'base64'), bytes)
  t.deepEqual(second.properties, { 'content-type': 'x' })
})

test.serial('--json has dates that parse, in every time zone', async (t) => {
  for (const TZ of ['UTC', 'Asia/Kolkata', 'America/St_Johns']) {
    const { broker, client } = t.context
    const id = `sub-zone-${TZ}`
    const args = ['sub', '-p', broker.port, '-i', id, '--json', '-t', 'sub/zone', '-C', 1]
    const started = startCommand(t, args, { TZ })
    await Promise.race([broker.logged(new RegExp(`Sending SUBACK to ${id}`)), started.ended])
    await client.publish('sub/zone', 'x')
    const { tst } = JSON.parse(String((await started.ended).output))
    t.regex(tst, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}[+-]\d\d:\d\d$/)
    t.true(Math.abs(Date.now() - new Date(tst).getTime()) < 30_000, tst)
  }
})

test.serial('--json keeps user properties of equal names', async (t) => {
  const started = await subscribed(t, 'aiomqtt', ['--json', '-t', 'sub/equal', '-C', 1, '-V', 5])
  const userProperty = [['a', '1'] as const, ['a', '2'] as const, ['__proto__', '3'] as const]
  await t.context.client.publish('sub/equal', 'x', { properties: { userProperty } })
  const { properties: seen } = JSON.parse(String((await started.ended).output))
  t.deepEqual(seen['user-properties'], userProperty)
})

test.serial('-C, -T, -R, --count and --random-filter choose messages', async (t) => {
  const { client } = t.context
  await client.publish('sub/choice/old', 'old', { retain: true, qos: 1 })
  const args = ['-t', 'sub/choice/#', '-T', 'sub/choice/+/out', '-R', '-v']
  const some = await subscribed(t, 'aiomqtt', [...args, '-C', 2])
  const counting = await subscribed(t, 'aiomqtt', [...args, '-C', 2, '--count'])
  const rare = await subscribed(t, 'aiomqtt', [...args, '-C', 2, '--random-filter', 0.1])
  await client.publish('sub/choice/a/out', 'no')
  for (const payload of ['one', 'two', 'three']) await client.publish('sub/choice/a', payload)
  t.is(String((await some.ended).output), 'sub/choice/a one\nsub/choice/a two\n')
  t.is(String((await counting.ended).output), '2\n')
  t.regex(String((await rare.ended).output), /^(sub\/choice\/a \w+\n){0,2}$/)
  await client.publish('sub/choice/old', null, { retain: true })
})

test.serial('--retained-only ends with the first other message, --remove-retained clears', async (t) => {
  const { client, broker } = t.context
  for (const name of ['a', 'b']) await client.publish(`sub/retained/${name}`, name, { retain: true, qos: 1 })
  const args = ['-t', 'sub/retained/#', '--retained-only', '--remove-retained']
  const started = await subscribed(t, 'aiomqtt', args)
  await client.publish('sub/retained/c', 'fresh', { qos: 1 })
  const ended = await started.ended
  t.deepEqual([ended.code, String(ended.output)], [0, 'a\nb\n'])
  const none = await runCommand(t, ['sub', '-p', broker.port, '-t', 'sub/retained/#', '-W', 1])
  t.deepEqual([none.code, String(none.output)], [27, ''])
  t.is(none.errors, 'Error: Timed out\n')
})

test.serial('-E and -c make a session, in which messages wait', async (t) => {
  const { client, broker } = t.context
  const place = ['sub', '-p', broker.port, '-c', '-i', 'sub-session', '-q', 1, '-t', 'sub/session']
  t.is((await runCommand(t, [...place, '-E'])).code, 0)
  await client.publish('sub/session', 'waited', { qos: 1 })
  const { output } = await runCommand(t, [...place, '-C', 1])
  t.is(String(output), 'waited\n')
  const away = [...place.slice(0, -2), '-U', 'sub/session', '-E']
  t.is((await runCommand(t, away)).code, 0)
})

test.serial('it comes back when the connection is lost', async (t) => {
  const broker = await Mosquitto.start({ packets: true })
  t.teardown(() => broker.stop())
  const started = startCommand(t, ['sub', '-p', broker.port, '-t', 'sub/back', '-C', 1, '-i', 'sub-back'])
  await broker.logged(/Sending SUBACK to sub-back/)
  await broker.kill()
  await broker.restart()
  await broker.logged(/Sending SUBACK to sub-back/)
  t.is((await runCommand(t, ['pub', '-p', broker.port, '-t', 'sub/back', '-m', 'again'])).code, 0)
  const { code, output, errors } = await started.ended
  t.deepEqual([code, String(output)], [0, 'again\n'])
  t.regex(errors, /^Warning: [^\n]+ Reconnecting\.\n$/)
})

for (const [name, code] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
] as const) {
  test.serial(`${name} ends with DISCONNECT, all output and exit code ${code}`, async (t) => {
    const { client, broker } = t.context
    const id = `sub-${name}`
    const started = startCommand(t, ['sub', '-p', broker.port, '-i', id, '-t', `sub/${name}`])
    await broker.logged(new RegExp(`Sending SUBACK to ${id}`))
    await client.publish(`sub/${name}`, 'x'.repeat(200_000))
    await started.said(/x{100}/)
    started.process.kill(name)
    const ended = await started.ended
    t.deepEqual([ended.code, ended.errors, ended.output.length], [code, '', 200_001])
    await broker.logged(new RegExp(`Received DISCONNECT from ${id}`))
  })
}

test.serial('a reader that has gone ends it quietly', async (t) => {
  const started = await subscribed(t, 'aiomqtt', ['-t', 'sub/head'])
  started.process.stdout?.destroy()
  const { client } = t.context
  const publishing = setInterval(() => client.publish('sub/head', 'x').catch(() => {}), 20)
  t.teardown(() => clearInterval(publishing))
  const { code, errors } = await started.ended
  t.deepEqual([code, errors], [0, ''])
})

test.serial('a reader that is slow makes it wait, and a second signal ends it at once', async (t) => {
  const started = await subscribed(t, 'aiomqtt', ['-t', 'sub/slow'])
  started.process.stdout?.pause()
  for (let sent = 0; sent < 20; sent++) await t.context.client.publish('sub/slow', Buffer.alloc(200_000))
  started.process.kill('SIGINT')
  await new Promise((resolve) => setTimeout(resolve, 300))
  started.process.kill('SIGINT')
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    started.process.once('exit', (...how) => resolve(how)),
  )
  t.deepEqual([code, signal], [null, 'SIGINT'])
  started.process.stdout?.resume()
})

test.serial('refusals have the code of CONNACK', async (t) => {
  const broker = await Mosquitto.start({
    users: { anna: 'right' },
    acl: ['user anna', 'topic read allowed/#'],
  })
  t.teardown(() => broker.stop())
  const place = ['sub', '-p', broker.port, '-t', 'a', '-u', 'anna', '-P', 'wrong']
  const old = await runCommand(t, place)
  const newer = await runCommand(t, [...place, '-V', 'mqttv5'])
  t.deepEqual([old.code, newer.code], [5, 135])
  for (const { errors } of [old, newer]) t.regex(errors, /^Error: .*[Nn]ot authori[sz]ed.*\n$/)
})

test.serial('a format that is none is refused, in the words of mosquitto_sub', async (t) => {
  const faults = ['%', '%z', '%5', '@', '\\', '\\q']
  await forEachFew(faults, async (format) => {
    const args = ['-p', 1, '-t', 'a', '-F', format]
    const ours = await runCommand(t, ['sub', ...args])
    const theirs = await startMosquitto(t, 'sub', args).ended
    t.is(ours.code, 1)
    t.is(ours.errors.trim(), theirs.errors.split('\n')[0])
  })
})
