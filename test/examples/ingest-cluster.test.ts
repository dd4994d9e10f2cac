// The examples that write to PostgreSQL, with everything killed that can be.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { Client } from 'aiomqtt'
import anyTest, { type ExecutionContext } from 'ava'
import { within } from '../helpers/deadline.js'
import { Mosquitto } from '../helpers/mosquitto.js'
import { hasPostgres, Postgres } from '../helpers/postgres.js'

const examples = fileURLToPath(new URL('../../../examples/', import.meta.url))
const patience = 20_000

const test = hasPostgres() ? anyTest : anyTest.skip
if (!hasPostgres()) console.log('There is no PostgreSQL here: its examples are not tested.')

/** Runs the example to its end, in a temporary folder of its own. */
async function ingestCluster(t: ExecutionContext, args: string[]) {
  const folder = await mkdtemp(join(tmpdir(), 'cluster-'))
  t.teardown(() => rm(folder, { recursive: true, force: true }))
  // PostgreSQL runs as somebody else where this is root.
  await chmod(folder, 0o755)
  const program = join(examples, 'ingest-cluster/staging/main.mjs')
  const child = spawn(process.execPath, [program, ...args], {
    env: { ...process.env, TMPDIR: folder },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      output += chunk
    })
  }
  const [code] = await once(child, 'close')
  return { code, output, left: readdirSync(folder), processes: processesThatName(folder) }
}

/** The command lines in which it stands; none where the system does not tell. */
function processesThatName(text: string): string[] {
  const lines = readdirSync('/proc').map((pid) => {
    try {
      return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')
    } catch {
      return ''
    }
  })
  return lines.filter((line) => line.includes(text))
}

/** A number of the summary. */
function figure(output: string, name: string): number {
  const [, digits] = new RegExp(`^  ${name} +([\\d,]+)`, 'm').exec(output) ?? []
  return Number(digits?.replaceAll(',', ''))
}

test('ingest-cluster: a process and the database are killed, and each acknowledged message is there, once', async (t) => {
  t.timeout(90_000)
  const load = ['--processes', '2', '--devices', '40', '--rate', '2000', '--seconds', '5']
  const kills = ['--kill', 'process', '--kill', 'database']
  const { code, output, left, processes } = await ingestCluster(t, [...load, ...kills])
  t.is(code, 0, output)
  t.true(figure(output, 'acknowledged') > 1000, output)
  t.is(figure(output, 'rows'), figure(output, 'acknowledged') + figure(output, 'unconfirmed'))
  t.is(figure(output, 'lost'), 0)
  t.is(figure(output, 'twice'), 0)
  t.is(figure(output, 'restarts'), 1)
  t.regex(output, /kill -9 PostgreSQL/)
  t.deepEqual(left, [])
  t.deepEqual(processes, [])
})

test('ingest-cluster: a mistake on the command line is named', async (t) => {
  const { code, output } = await ingestCluster(t, ['--kill', 'node'])
  t.is(code, 2)
  t.regex(output, /^--kill can be process or database or broker here, not 'node'\.\n/)
})

test('postgres.mjs writes what comes, whatever is killed', async (t) => {
  t.timeout(60_000)
  const [broker, postgres] = await Promise.all([
    Mosquitto.start({ settings: ['log_type subscribe'] }),
    Postgres.start(),
  ])
  t.teardown(() => broker.stop())
  t.teardown(() => postgres.stop())
  const start = async () => {
    const child = spawn(
      process.execPath,
      [join(examples, 'postgres.mjs'), broker.host, String(broker.port)],
      { env: { ...process.env, ...postgres.environment }, stdio: ['ignore', 'pipe', 'ignore'] },
    )
    t.teardown(() => child.kill('SIGKILL'))
    const lines = createInterface({ input: child.stdout })
    return { child, wrote: () => within(patience, 'rows', once(lines, 'line')) }
  }
  const client = await Client.connect(broker.host, broker.port)
  t.teardown(() => client.disconnect())
  const publish = (sequence: number) =>
    client.publish('fleet/kitchen/readings', JSON.stringify({ sequence, temperature: 20.5 }), { qos: 1 })
  const rows = async () => {
    const connection = await postgres.connect()
    const { rows } = await connection.query(
      'SELECT device, sequence::int, temperature FROM readings ORDER BY 2',
    )
    await connection.end()
    return rows.map(({ device, sequence, temperature }) => [device, sequence, temperature])
  }

  const first = await start()
  await broker.logged(/^ingest 1 fleet/)
  let wrote = first.wrote()
  await client.publish('fleet/kitchen/readings', 'no reading', { qos: 1 })
  await wrote
  wrote = first.wrote()
  await publish(1)
  await wrote
  t.deepEqual(await rows(), [['kitchen', 1, 20.5]])

  first.child.kill('SIGKILL')
  await publish(2)
  const second = await start()
  await second.wrote()
  await postgres.kill()
  wrote = second.wrote()
  await publish(3)
  await postgres.restart()
  await wrote
  t.deepEqual(await rows(), [
    ['kitchen', 1, 20.5],
    ['kitchen', 2, 20.5],
    ['kitchen', 3, 20.5],
  ])
})
