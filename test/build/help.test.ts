// Every command of package.json says with --help what it does, and does nothing else.

import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { root } from './package-copy.js'

const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
  scripts: Record<string, string>
}

/** What they pass --help on to needs the package. */
const SET_UP_FIRST = ['demo', 'ingest-cluster']

for (const [name, command] of Object.entries(scripts)) {
  test(`npm run ${name} -- --help`, async (t) => {
    const [program, ...args] = command.split(' ')
    t.is(program, 'node')
    const { stdout, stderr } = await promisify(execFile)(process.execPath, [...args, '--help'], { cwd: root })
    t.is(stderr, '')
    t.regex(stdout, /\w+ \w+/)
    if (!SET_UP_FIRST.includes(name)) t.notRegex(stdout, /^»/m)
  })
}

test('an option that there is not is named, without a stack', async (t) => {
  const failure = promisify(execFile)(process.execPath, ['scripts/lint.mjs', '--nothing'], { cwd: root })
  const { stderr } = (await t.throwsAsync(failure)) as Error & { stderr: string }
  t.regex(stderr, /--nothing.*\n--help/)
  t.notRegex(stderr, /\n {4}at /)
})
