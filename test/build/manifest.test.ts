import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import test from 'ava'
import { root } from './package-copy.js'

function readJson(name: string): Record<string, unknown> {
  return JSON.parse(readFileSync(join(root, name), 'utf8'))
}

test('the installed package needs nothing and runs nothing when it is installed', (t) => {
  const { dependencies, optionalDependencies, peerDependencies, scripts } = readJson('package.json')
  t.deepEqual([dependencies, peerDependencies], [undefined, undefined])
  // Loaded by the command line, and when a proxy or a WebSocket is asked for.
  t.deepEqual(Object.keys(optionalDependencies as object), ['cli-progress', 'commander', 'socks', 'ws'])
  const names = Object.keys(scripts as object)
  t.deepEqual(
    names.filter((name) => /^(pre|post)?install$|^prepare$/.test(name)),
    [],
  )
})

for (const folder of ['', 'bench', 'docs']) {
  const name = join(folder, 'package-lock.json')
  test(`${name} pins every package by its checksum and names no registry`, (t) => {
    const packages = Object.entries(readJson(name).packages as Record<string, Record<string, unknown>>)
    const dependencies = packages.filter(([path]) => path !== '')
    t.true(dependencies.length > 30)
    for (const [path, { version, integrity, resolved }] of dependencies) {
      t.is(typeof version, 'string', path)
      t.regex(String(integrity), /^sha512-/, path)
      t.is(resolved, undefined, path)
    }
  })
}
