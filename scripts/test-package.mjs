// npm run test:package: packs the package, checks what is in it and how it says what it exports, installs it without its
// scripts into an empty folder, and there publishes and receives, as an ES module, from CommonJS and in TypeScript.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { compileTests } from './ava.mjs'
import { prebuildify } from './prebuildify.mjs'
import { setup } from './setup.mjs'
import { at, Failure, main, run, runNpm, runPackage, say } from './steps.mjs'

/** All that a package may hold. */
const CONTENTS = [
  /^dist\/.+\.(m?js|d\.ts)$/,
  /^dist\/cjs\/package\.json$/,
  /^prebuilds\/\w+-\w+\/aiomqtt(\.glibc|\.musl)?\.node$/,
  /^(package\.json|README\.md|CHANGELOG\.md|LICENSE|NOTICE)$/,
]

const folder = at('build/package')

/** What a user writes, in the languages that there are. */
const PROGRAMS = {
  'program.mjs': `
    import { Client, version } from 'aiomqtt'
    import { DurableStore } from 'aiomqtt/store'
    const client = await Client.connect('127.0.0.1', Number(process.argv[2]), { timeout: 5 })
    await client.subscribe('package/#', { qos: 1 })
    await client.publish('package/test', 'it works', { qos: 1 })
    for await (const message of client.messages) {
      console.log(message.text(), version, typeof DurableStore)
      break
    }
    await client.disconnect()
  `,
  'program.cjs': `
    const { Client, version } = require('aiomqtt')
    Client.connect('127.0.0.1', Number(process.argv[2]), { timeout: 5 }).then(async (client) => {
      await client.subscribe('package/#', { qos: 1 })
      await client.publish('package/test', 'it works', { qos: 1 })
      const { value } = await client.messages.next()
      console.log(value.text(), version, 'function')
      await client.disconnect()
    })
  `,
  'program.ts': `
    import { Client, type Message, MqttError } from 'aiomqtt'
    import { DurableStore } from 'aiomqtt/store'
    const client: Client = await Client.connect('localhost', { protocol: 5, store: new DurableStore('state') })
    for await (const message of client.messages) {
      const { payload, topic }: Message = message
      console.log(topic.value, payload.length)
    }
    console.log(MqttError.name)
  `,
}

function pack() {
  say('npm pack')
  const answer = spawnSync('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: at(),
    encoding: 'utf8',
    shell: process.platform === 'win32',
  })
  if (answer.status !== 0) throw new Failure(`npm pack failed:\n${answer.stderr}`)
  const [{ filename, files, size, unpackedSize }] = JSON.parse(answer.stdout)
  const strangers = files
    .map(({ path }) => path)
    .filter((path) => !CONTENTS.some((content) => content.test(path)))
  if (strangers.length > 0) throw new Failure(`The package must not hold ${strangers.join(', ')}.`)
  for (const { path, size: bytes } of files.filter((file) => file.path.endsWith('.node'))) {
    console.log(`${path}: ${kilobytes(bytes)}`)
  }
  console.log(`${files.length} files, ${kilobytes(size)} packed, ${kilobytes(unpackedSize)} unpacked`)
  return `${folder}/${filename}`
}

function kilobytes(bytes) {
  return `${Math.round(bytes / 1000).toLocaleString('en')} kB`
}

async function lintPackage(tarball) {
  say('publint')
  const { messages, pkg } = await publint({ pack: { tarball: readFileSync(tarball).buffer } })
  if (messages.length > 0) {
    throw new Failure(messages.map((message) => formatMessage(message, pkg, { color: false })).join('\n'))
  }
  say('Are the types wrong?')
  runPackage('@arethetypeswrong/cli/dist/index.js', [tarball, '--no-emoji'])
}

function install(tarball) {
  say('Installing it into an empty folder')
  const consumer = `${folder}/consumer`
  mkdirSync(consumer)
  writeFileSync(`${consumer}/package.json`, '{ "private": true, "type": "module" }\n')
  for (const [name, text] of Object.entries(PROGRAMS)) writeFileSync(`${consumer}/${name}`, text)
  runNpm([
    'install',
    '--prefix',
    consumer,
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
    tarball,
  ])
  return consumer
}

async function use(consumer) {
  const { Mosquitto } = await import(pathToFileURL(at('build/test/helpers/mosquitto.js')))
  const broker = await Mosquitto.start()
  const { version } = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  try {
    for (const program of ['program.mjs', 'program.cjs']) {
      say(program)
      const output = run(process.execPath, [program, String(broker.port)], {
        cwd: consumer,
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'inherit'],
        timeout: 20_000,
      })
      if (output !== `it works ${version} function\n`) throw new Failure(`${program} printed: ${output}`)
    }
  } finally {
    await broker.stop()
  }
}

function checkTypes(consumer) {
  const modes = { node16: 'node16', bundler: 'esnext' }
  for (const [resolution, module] of Object.entries(modes)) {
    say(`program.ts with moduleResolution ${resolution}`)
    const flags = [
      '--ignoreConfig',
      '--noEmit',
      '--strict',
      '--target',
      'es2023',
      '--module',
      module,
      '--moduleResolution',
      resolution,
    ]
    const types = ['--typeRoots', at('node_modules/@types'), '--types', 'node']
    runPackage('typescript/bin/tsc', [...flags, ...types, 'program.ts'], { cwd: consumer })
  }
}

await main(async () => {
  setup({ servers: true })
  compileTests()
  if (!existsSync(at('prebuilds', `${process.platform}-${process.arch}`))) prebuildify([process.arch])
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  const tarball = pack()
  await lintPackage(tarball)
  const consumer = install(tarball)
  await use(consumer)
  checkTypes(consumer)
  say('The package holds what it should, and works.')
})
