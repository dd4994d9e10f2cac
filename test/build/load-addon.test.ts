import { join } from 'node:path'
import test from 'ava'
import { PackageCopy, platform } from './package-copy.js'

/** The name that prebuildify gives the binary for this machine. */
function prebuiltName(): string {
  if (process.platform !== 'linux') return 'aiomqtt.node'
  const report = process.report?.getReport() as { header?: { glibcVersionRuntime?: string } } | undefined
  return `aiomqtt.${report?.header?.glibcVersionRuntime === undefined ? 'musl' : 'glibc'}.node`
}

test('without a binary, the error says what this machine is, what was tried, and what to do', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  const { code, message = '' } = copy.load()
  t.is(code, 'ERR_MQTT_ADDON')
  t.true(message.includes(`loads here: ${platform}, `))
  t.true(message.includes(`Node ${process.version}`))
  if (process.platform === 'linux') t.regex(message, /, (glibc \d+\.\d+|musl), Node/)
  t.true(message.includes(`${join('prebuilds', platform, prebuiltName())}: no such file`))
  t.true(message.includes(`${join('build', 'Release', 'aiomqtt.node')}: no such file`))
  t.regex(message, /What to do: this copy of the package has no binaries\./)
})

test('a binary that does not load is named with the reason', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  const path = join('prebuilds', platform, prebuiltName())
  copy.put(path, 'not a binary')
  const { code, message = '' } = copy.load()
  t.is(code, 'ERR_MQTT_ADDON')
  const line = message.split('\n').find((candidate) => candidate.includes(path)) ?? ''
  t.notRegex(line, /no such file/)
  t.regex(line, /aiomqtt\S*\.node: .+/)
})

test('a package for other machines says which ones', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  copy.put('prebuilds/plan9-mips/aiomqtt.node', 'elsewhere')
  t.regex(copy.load().message ?? '', /has binaries for plan9-mips\/aiomqtt\.node\./)
})

test('in a clone, the error names the command that builds the addon', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  copy.put('native/sources.json', '{}')
  t.regex(copy.load().message ?? '', /What to do: build the addon: npm run build, in /)
})
