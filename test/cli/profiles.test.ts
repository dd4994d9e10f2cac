import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import anyTest, { type TestFn } from 'ava'
import { runCommand } from '../helpers/command-line.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const test = anyTest as TestFn<{ broker: Mosquitto; folder: string; profiles: string }>

test.before(async (t) => {
  const broker = await Mosquitto.start({ users: { anna: 'secret', bert: 'other' }, packets: true })
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-profiles-'))
  const profiles = join(folder, 'profiles.json')
  writeFileSync(join(folder, 'password'), 'secret\n')
  writeFileSync(
    profiles,
    JSON.stringify({
      home: { host: broker.host, port: broker.port, username: 'anna', 'pw-file': join(folder, 'password') },
      wrong: { host: broker.host, port: broker.port, usernam: 'x' },
      bad: { port: 'many' },
      kind: { host: true },
    }),
  )
  t.context = { broker, folder, profiles }
})
test.after.always(async (t) => {
  await t.context.broker?.stop()
  rmSync(t.context.folder, { recursive: true, force: true })
})

test('a profile has the options that were not typed', async (t) => {
  const { broker, profiles } = t.context
  const env = { AIOMQTT_PROFILES: profiles }
  const args = ['pub', '--profile', 'home', '-t', 'a', '-m', 'x', '-q', 1]
  t.deepEqual((await runCommand(t, args, { env })).errors, '')
  const typed = await runCommand(t, [...args, '-p', 1], { env })
  t.regex(typed.errors, /Connection refused \(127\.0\.0\.1:1\)/)
  const elsewhere = await runCommand(t, [...args, '-L', `mqtt://localhost:${broker.port}`], { env })
  t.is(elsewhere.errors, '')
})

test('mistakes in profiles are named', async (t) => {
  const { profiles } = t.context
  for (const [name, file, error] of [
    ['nobody', profiles, /has no profile nobody\. It has home, wrong, bad, kind\./],
    ['wrong', profiles, /wrong has no option usernam for pub\. Did you mean username\?/],
    ['bad', profiles, /whole number/],
    ['kind', profiles, /host of kind must be a string/],
    ['home', '/nowhere/profiles.json', /cannot be read: ENOENT/],
  ] as const) {
    const env = { AIOMQTT_PROFILES: file }
    const { code, errors } = await runCommand(t, ['pub', '--profile', name, '-t', 'a', '-m', 'x'], { env })
    t.is(code, 1)
    t.regex(errors, error)
  }
})

test('user and password of the environment and of a file', async (t) => {
  const { broker, folder } = t.context
  const args = ['pub', '-p', broker.port, '-t', 'a', '-m', 'x', '-q', 1]
  const env = { AIOMQTT_USERNAME: 'anna', AIOMQTT_PASSWORD: 'secret' }
  t.is((await runCommand(t, args, { env })).code, 0)
  t.is((await runCommand(t, [...args, '-u', 'bert', '-P', 'other'], { env })).code, 0)
  t.is((await runCommand(t, [...args, '-u', 'anna', '--pw-file', join(folder, 'password')])).code, 0)
  t.is((await runCommand(t, [...args, '-u', 'anna', '--pw-file', profilesOf(folder)])).code, 5)
  const both = await runCommand(t, [...args, '-u', 'anna', '-P', 'x', '--pw-file', 'y'])
  t.regex(both.errors, /Only one of -P, --pw-file and --ask-pw/)
  const asked = await runCommand(t, [...args, '-u', 'anna', '--ask-pw'])
  t.regex(asked.errors, /--ask-pw needs a terminal/)
})

/** A file that is no password. */
function profilesOf(folder: string): string {
  return join(folder, 'profiles.json')
}
