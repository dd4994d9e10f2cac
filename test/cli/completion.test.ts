import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { runCommand } from '../helpers/command-line.js'

/** What bash offers for the last of these words. */
function offered(script: string, words: string[]): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-completion-'))
  try {
    const file = join(folder, 'completion')
    const list = words.map((word) => `'${word}'`).join(' ')
    writeFileSync(
      file,
      `${script}\nCOMP_WORDS=(${list})\nCOMP_CWORD=${words.length - 1}\n_aiomqtt\nprintf '%s\\n' "\${COMPREPLY[@]}"\n`,
    )
    const { stdout, stderr } = spawnSync('bash', ['--norc', file], { encoding: 'utf8' })
    if (stderr !== '') throw new Error(stderr)
    return stdout.split('\n').filter((line) => line !== '')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

test('bash completes commands and their options', async (t) => {
  const script = String((await runCommand(t, ['completion', 'bash'])).output)
  t.deepEqual(offered(script, ['aiomqtt', 're']), ['record', 'replay'])
  t.deepEqual(offered(script, ['aiomqtt', 'sub', '--retain']), ['--retained-only', '--retain-as-published'])
  t.deepEqual(offered(script, ['aiomqtt', 'completion', 'f']), ['fish'])
})

test('zsh and fish get every option, and quotes do not end their strings', async (t) => {
  for (const shell of ['zsh', 'fish']) {
    const { code, output } = await runCommand(t, ['completion', shell])
    t.is(code, 0)
    for (const name of ['will-topic', 'tls-alpn', 'retain-as-published'])
      t.true(String(output).includes(name))
    t.is((String(output).replaceAll("'\\''", '').match(/'/g)?.length ?? 1) % 2, 0, shell)
  }
})

test('an unknown shell is refused', async (t) => {
  const { code, errors } = await runCommand(t, ['completion', 'tcsh'])
  t.is(code, 1)
  t.regex(errors, /Allowed choices are bash, zsh, fish/)
})

test('the man page has every command, its options, and what --help says after them', async (t) => {
  const page = String((await runCommand(t, ['man'])).output)
  for (const name of ['PUB', 'SUB', 'RR', 'WATCH', 'RECORD', 'REPLAY', 'SIMULATE', 'BENCH', 'DOCTOR']) {
    t.true(page.includes(`.SH ${name}\n`), name)
  }
  t.true(page.includes('\\-t, \\-\\-topic <filter>'))
  t.true(page.includes('Exit codes:'))
})
