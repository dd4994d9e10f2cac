import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { buildSync, type Format } from 'esbuild'
import { Mosquitto } from '../helpers/mosquitto.js'
import { builtAddon, node, PackageCopy, platform, root } from './package-copy.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

const program = (take: string) => `
  ${take}
  const main = async () => {
    const client = await Client.connect('127.0.0.1', Number(process.env.PORT), { timeout: 5 })
    await client.subscribe('bundle', { qos: 1 })
    await client.publish('bundle', 'works', { qos: 1 })
    console.log((await client.messages.next()).value.text())
    await client.disconnect()
  }
  main().catch((error) => console.log(error.message))`

const sources = {
  import: program("import { Client } from 'aiomqtt'"),
  'require()': program("const { Client } = require('aiomqtt')"),
}
const formats: Array<[Format, string]> = [
  ['cjs', 'cjs'],
  ['esm', 'mjs'],
]

/** A folder that has a bundle of the program, and nothing of the package yet. */
function bundle(t: ExecutionContext, contents: string, format: Format, ending: string) {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  const folder = join(copy.folder, 'elsewhere')
  mkdirSync(folder)
  writeFileSync(join(copy.folder, 'package.json'), '{ "name": "application" }')
  const outfile = join(folder, `main.${ending}`)
  const { warnings } = buildSync({
    ...{ bundle: true, format, platform: 'node', outfile, logLevel: 'silent' },
    stdin: { contents, resolveDir: root },
  })
  t.deepEqual(
    warnings.map(({ text }) => text).filter((text) => !text.includes('import.meta')),
    [],
  )
  return { copy, outfile }
}

function run(
  t: ExecutionContext<{ broker: Mosquitto }>,
  outfile: string,
  env: NodeJS.ProcessEnv = {},
): string {
  const { stdout, stderr } = node([outfile], {
    env: { ...process.env, PORT: String(t.context.broker.port), ...env },
  })
  t.is(stderr, '')
  return stdout
}

for (const [name, contents] of Object.entries(sources)) {
  for (const [format, ending] of formats) {
    test(`a bundle in the format ${format} of a program with ${name}`, (t) => {
      const { copy, outfile } = bundle(t, contents, format, ending)
      const alone = run(t, outfile)
      t.regex(alone, /What to do: this code was bundled into \S+elsewhere, where its addon is not\. /)
      t.regex(alone, /--external:aiomqtt/)

      t.is(run(t, outfile, { AIOMQTT_ADDON: builtAddon }), 'works\n')

      const installed = join('node_modules', 'aiomqtt')
      copy.link(join(installed, 'prebuilds', platform, 'aiomqtt.node'), builtAddon)
      copy.put(join(installed, 'package.json'), readFileSync(join(root, 'package.json'), 'utf8'))
      t.is(run(t, outfile), 'works\n')

      copy.put(join(installed, 'package.json'), '{ "name": "aiomqtt", "version": "0.0.1" }')
      t.regex(run(t, outfile), /aiomqtt: version 0\.0\.1, and this is \d+\.\d+\.\d+/)
    })
  }
}
