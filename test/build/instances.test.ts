import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import * as imported from 'aiomqtt'
import anyTest, { type ExecutionContext, type TestFn } from 'ava'
import { Mosquitto } from '../helpers/mosquitto.js'
import { node, PackageCopy, root } from './package-copy.js'

const test = anyTest as TestFn<{ broker: Mosquitto }>

test.before(async (t) => {
  t.context.broker = await Mosquitto.start()
})
test.after.always((t) => t.context.broker.stop())

type Library = typeof imported
const require = createRequire(import.meta.url)

/** A client of this instance of the library gets what it publishes. */
async function roundTrip({ Client }: Library, port: number): Promise<void> {
  const client = await Client.connect('127.0.0.1', port, { timeout: 5 })
  await client.subscribe('instances', { qos: 1 })
  await client.publish('instances', 'works', { qos: 1 })
  for await (const message of client.messages) {
    if (message.text() !== 'works') throw new Error(message.text())
    break
  }
  await client.disconnect()
}

/** Another copy of the JavaScript half, on the same addon. */
function copyOf(t: ExecutionContext): PackageCopy {
  const copy = new PackageCopy()
  t.teardown(() => copy.remove())
  copy.link('build/Release', join(root, 'build/Release'))
  copy.link('node_modules', join(root, 'node_modules'))
  return copy
}

test.serial('two copies of the library on one addon work side by side', async (t) => {
  const { port } = t.context.broker
  const copy: Library = await import(pathToFileURL(join(copyOf(t).folder, 'dist/index.js')).href)
  t.not(copy.Client, imported.Client)
  await roundTrip(imported, port)
  await roundTrip(copy, port)
  await Promise.all([roundTrip(imported, port), roundTrip(copy, port), roundTrip(imported, port)])
  t.pass()
})

test.serial('the build for CommonJS works beside the one of ES modules', async (t) => {
  const { port } = t.context.broker
  const common: Library = require('../../../dist/cjs/index.js')
  t.deepEqual(Object.keys(common).sort(), Object.keys(imported).sort())
  await Promise.all([roundTrip(imported, port), roundTrip(common, port)])
  const facade: Library = await import(pathToFileURL(join(root, 'dist/cjs/index.mjs')).href)
  t.is(facade.Client, common.Client)
  t.deepEqual(Object.keys(facade).sort(), Object.keys(imported).sort())
})

test('a process has one instance, however it gets it', (t) => {
  // The second one has no require() of ES modules, as Node before 20.19 and 22.12.
  const without = '--no-experimental-require-module'
  for (const flags of [[], process.allowedNodeEnvironmentFlags.has(without) ? [without] : []]) {
    const program = `
      const { Client } = require('aiomqtt')
      const { DurableStore } = require('aiomqtt/store')
      import('aiomqtt').then(async (library) => {
        console.log(library.Client === Client, (await import('aiomqtt/store')).DurableStore === DurableStore)
      })`
    const { stdout, stderr } = node([...flags, '--input-type=commonjs', '--eval', program])
    t.is(stdout, 'true true\n', stderr)
  }
})

test('a worker that ends takes nothing from the others', async (t) => {
  const { port } = t.context.broker
  const program = `
    const { parentPort } = require('node:worker_threads')
    const { Client } = require('aiomqtt')
    Client.connect('127.0.0.1', ${port}).then(() => parentPort.postMessage('connected'))`
  const client = await imported.Client.connect('127.0.0.1', port, { timeout: 5 })
  const worker = new Worker(program, { eval: true })
  await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject))
  await worker.terminate()
  await client.publish('instances/worker', 'still here', { qos: 1 })
  await roundTrip(imported, port)
  await client.disconnect()
  t.pass()
})
