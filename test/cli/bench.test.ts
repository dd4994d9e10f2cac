import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { runCommand, startCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context = { broker: await Mosquitto.start({ settings: ['max_queued_messages 0'] }) }
})
test.after.always((t) => t.context.broker?.stop())

interface Figures {
  out: { messages: number; messagesPerSecond: number }
  in: { messages: number; messagesPerSecond: number }
  failed: number
  lost: number
  latency: Record<'p50' | 'p90' | 'p99' | 'p99.9' | 'max', number>
  histogram: Array<{ from: number; to: number; count: number }>
}

async function figures(
  t: ExecutionContext<{ broker: Mosquitto }>,
  args: Array<string | number>,
): Promise<Figures> {
  const { code, output, errors } = await runCommand(t, [
    ...['bench', '127.0.0.1', '-p', t.context.broker.port, '--json', '--quiet'],
    ...args,
  ])
  t.deepEqual([code, errors], [0, ''])
  return JSON.parse(String(output))
}

for (const [name, args, copies] of [
  ['QoS 0', ['--qos', 0, '--rate', 2000], 1],
  ['QoS 1 as fast as it goes, to two subscribers', ['-q', 1, '--rate', 0, '--subscribers', 2], 2],
  ['QoS 2 to subscribers that share', ['-q', 2, '--rate', 2000, '--subscribers', 3, '--share'], 1],
] as const) {
  test.serial(`each message is counted: ${name}`, async (t) => {
    const result = await figures(t, [...args, '--count', 1000, '--clients', 5, '--size', 100])
    const { p50, p90, p99, max } = result.latency
    t.is(result.out.messages, 1000)
    t.is(result.in.messages, 1000 * copies)
    t.deepEqual([result.lost, result.failed], [0, 0])
    t.true(0 < p50 && p50 <= p90 && p90 <= p99 && p99 <= max)
    t.is(
      result.histogram.reduce((sum, { count }) => sum + count, 0),
      1000 * copies,
    )
  })
}

test.serial('the rate is kept', async (t) => {
  const { out } = await figures(t, ['--rate', 500, '--duration', 1])
  t.is(out.messages, 500)
  t.true(out.messagesPerSecond < 600)
})

test.serial('a broker that stalls shows in the latencies of all that were due meanwhile', async (t) => {
  const { broker } = t.context
  const args = ['bench', '127.0.0.1', '-p', broker.port, '--rate', 200, '--duration', 2, '--json', '-q', 1]
  const started = startCommand(t, args)
  await started.said(/^1 s/m)
  broker.pause()
  setTimeout(() => broker.resume(), 600)
  const { latency, lost } = JSON.parse(String((await started.ended).output)) as Figures
  t.is(lost, 0)
  t.true(latency.max > 500)
  // Of 400 messages, 120 were due while nothing moved: their delays go evenly from 600 ms down to nothing.
  t.true(latency.p90 > 250, `p90 ${latency.p90}`)
})

test.serial(
  'people get lines while it runs, then figures and a picture; SIGINT ends it with them',
  async (t) => {
    const started = startCommand(t, ['bench', '127.0.0.1', '-p', t.context.broker.port, '--rate', 300])
    await started.said(/^1 s {2}out \d+\/s {2}in \d+\/s$/m)
    started.process.kill('SIGINT')
    const { code, output, errors } = await started.ended
    t.is(code, 130)
    t.regex(errors, /^1 s {2}out/)
    const text = String(output)
    t.regex(text, /^10 publishing, 1 subscribing, 10 topics, 64 bytes, QoS 0, 300 messages\/s asked for\n/)
    t.regex(text, /^lost {5}\d+ \(\d/m)
    t.regex(text, /^latency {2}p50 .* p90 .* p99 .* p99\.9 .* max /m)
    t.regex(text, /^ *\d\S* \S+ – \d\S* \S+ +█+.? \d+$/m)
  },
)

test.serial('mistakes are refused, and a broker that is not there is said', async (t) => {
  const both = await runCommand(t, ['bench', '--count', 5, '--duration', 1])
  t.deepEqual([both.code, both.errors], [1, 'Error: --count and --duration cannot be used together\n'])
  const small = await runCommand(t, ['bench', '--size', 7])
  t.regex(small.errors, /^Error: option '--size <bytes>' argument '7' is invalid/)
  const none = await runCommand(t, ['bench', '127.0.0.1', '-p', 1])
  t.is(none.code, 1)
  t.regex(none.errors, /^Error: .*Connection refused[^\n]*\n$/)
})
