import { readFileSync } from 'node:fs'
import { version, versionTuple } from 'aiomqtt'
import test from 'ava'

test('the version is that of the package', (t) => {
  const manifest = JSON.parse(readFileSync(new URL('../../../package.json', import.meta.url), 'utf8'))
  t.is(version, manifest.version)
  t.is(versionTuple.slice(0, 3).join('.'), version.split(/[+-]/)[0])
  t.true(versionTuple.slice(0, 3).every((part) => typeof part === 'number'))
  t.true(Object.isFrozen(versionTuple))
})
