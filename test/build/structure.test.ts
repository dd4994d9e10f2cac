// The folders of ts/ stand in an order, and each imports only from those before it. Biome's rules in biome.json hold
// it; here they are shown to bite, and to know every folder.

import { spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { root } from './package-copy.js'

/** Folders that stand side by side do not import each other. */
const ORDER = [
  ['support'],
  ['mqtt'],
  ['failures'],
  ['engine'],
  ['store'],
  ['messages'],
  ['calls'],
  ['options'],
  ['transports', 'telemetry'],
  ['session'],
  ['connection'],
  ['reconnect'],
  ['client'],
]

/** What the lint says of a copy of ts/ with one more file, as far as it is about that file. */
function lint(path: string, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-structure-'))
  try {
    cpSync(join(root, 'ts'), join(folder, 'ts'), { recursive: true })
    cpSync(join(root, 'biome.json'), join(folder, 'biome.json'))
    writeFileSync(join(folder, path), text)
    const biome = join(root, 'node_modules/@biomejs/biome/bin/biome')
    const args = ['lint', '--vcs-enabled=false', '--max-diagnostics=none', '--reporter=json', path]
    const { stdout } = spawnSync(process.execPath, [biome, ...args], { cwd: folder, encoding: 'utf8' })
    const { diagnostics } = JSON.parse(stdout) as { diagnostics: { category: string }[] }
    return diagnostics.map(({ category }) => category).join(' ')
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

/** A file of `from` that imports one of `to`. */
function breach(from: string, to: string): string {
  const [target] = readdirSync(join(root, 'ts', to)) as [string]
  return lint(`ts/${from}/breach.ts`, `export * from '../${to}/${target.replace(/\.ts$/, '.js')}'\n`)
}

/** Whether biome.json says that `from` does not import `to`. */
function isRestricted(from: string, to: string): boolean {
  const { overrides } = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8')) as {
    overrides: { includes: string[]; linter: unknown }[]
  }
  const rules = overrides.find(({ includes }) => includes.includes(`ts/${from}/**`))?.linter
  return JSON.stringify(rules).includes(`"../${to}/**"`)
}

test('every folder of ts/ has its place in the order', (t) => {
  const folders = readdirSync(join(root, 'ts'), { withFileTypes: true }).filter((entry) =>
    entry.isDirectory(),
  )
  t.deepEqual(folders.map(({ name }) => name).sort(), [...ORDER.flat(), 'cli'].sort())
})

for (const [place, folders] of ORDER.entries()) {
  for (const from of folders) {
    test(`ts/${from} imports from the left alone`, (t) => {
      for (const to of ORDER.flat()) {
        if (to === from) continue
        const isAllowed = ORDER.findIndex((names) => names.includes(to)) < place
        t.is(isRestricted(from, to), !isAllowed, `${from} → ${to}`)
      }
    })
  }
}

test('an import from the right fails the lint', (t) => {
  t.regex(breach('support', 'client'), /noRestrictedImports/)
  t.regex(breach('engine', 'connection'), /noRestrictedImports/)
  t.regex(breach('session', 'connection'), /noRestrictedImports/)
  t.regex(lint('ts/breach.ts', "export * from './cli/format.js'\n"), /noRestrictedImports/)
})

test('an import from the left does not', (t) => {
  t.notRegex(breach('client', 'support'), /noRestrictedImports/)
  t.notRegex(breach('session', 'calls'), /noRestrictedImports/)
})

test('a circle of types fails the lint', (t) => {
  const circle = readFileSync(join(root, 'ts/client/requests.ts'), 'utf8')
  t.notRegex(lint('ts/client/requests.ts', circle), /noImportCycles/)
  const closed = `import type { Client } from './client.js'\n${circle}\nexport type Holder = Client\n`
  t.regex(lint('ts/client/requests.ts', closed), /noImportCycles/)
})
