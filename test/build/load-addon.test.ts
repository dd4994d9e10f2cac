import { join } from 'node:path'
import test from 'ava'
import { builtAddon, PackageCopy, platform } from './package-copy.js'

const prebuilt = join('prebuilds', platform, 'aiomqtt.node')

test('without a binary, the error says what this machine is, what was tried, and what to do', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  const { code, message = '' } = copy.load()
  t.is(code, 'ERR_MQTT_ADDON')
  t.true(message.includes(`loads here: ${platform}, `))
  t.true(message.includes(`Node ${process.version}`))
  if (process.platform === 'linux') t.regex(message, /, (glibc \d+\.\d+|musl), Node/)
  t.true(message.includes(`${prebuilt}: no such file`))
  t.true(message.includes(`${join('build', 'Release', 'aiomqtt.node')}: no such file`))
  t.regex(message, /What to do: this copy of the package has no binaries\./)
})

test('a binary that does not load is named with the reason', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  copy.put(prebuilt, 'not a binary')
  const { code, message = '' } = copy.load()
  t.is(code, 'ERR_MQTT_ADDON')
  const line = message.split('\n').find((candidate) => candidate.includes(prebuilt)) ?? ''
  t.notRegex(line, /no such file/)
  t.regex(line, /aiomqtt\.node: .+/)
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

test('AIOMQTT_ADDON names the file of the addon', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  t.regex(copy.load({ AIOMQTT_ADDON: builtAddon }).pahoVersion ?? '', /^\d+\.\d+\.\d+$/)
})

test('a file of AIOMQTT_ADDON that does not load is an error, whatever else there is', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  copy.link(prebuilt, builtAddon)
  const path = join(copy.folder, 'nowhere.node')
  const { code, message = '' } = copy.load({ AIOMQTT_ADDON: path })
  t.is(code, 'ERR_MQTT_ADDON')
  t.true(message.includes(`${path}: no such file`))
  t.false(message.includes(prebuilt))
  t.regex(message, /What to do: let the environment variable AIOMQTT_ADDON name /)
  t.regex(copy.load({ AIOMQTT_ADDON: '' }).pahoVersion ?? '', /^\d+\.\d+\.\d+$/)
})

test('a Node that is too old is told which one is needed', (t) => {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  copy.link(prebuilt, builtAddon)
  const old =
    "Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '18.20.8' } })"
  const { code, message } = copy.load({}, old)
  t.is(code, 'ERR_MQTT_ADDON')
  t.is(message, 'aiomqtt needs Node 20 or later; this is Node 18.20.8.')
})
