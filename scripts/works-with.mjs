// The tools with which users build, test and run what uses this package: how each is set up, and what it has to do.
// docs/works-with.md says the same in words; its table names each entry.
//
// An entry has its npm packages, its files, and its commands, which run in a folder of their own where the packed package
// is installed. The last command prints `works`, having published and received through the broker at $PORT.

/** What most programs do. @param {string} take how they get at the client */
export const program = (take) => `${take}
async function main() {
  const client = await Client.connect('127.0.0.1', Number(process.env.PORT), { timeout: 20 })
  await client.subscribe('works-with/' + process.pid, { qos: 1 })
  await client.publish('works-with/' + process.pid, 'works', { qos: 1 })
  console.log((await client.messages.next()).value.text())
  await client.disconnect()
}
main().catch((error) => { console.log(error.message); process.exitCode = 1 })
`

const IMPORT = program("import { Client } from 'aiomqtt'\nimport 'aiomqtt/store'")
const REQUIRE = program("const { Client } = require('aiomqtt')\nrequire('aiomqtt/store')")

const programs = { 'main.mjs': IMPORT, 'main.cjs': REQUIRE }

/** One process, however it is asked for, has one instance. */
const BOTH = `
const { Client } = require('aiomqtt')
import('aiomqtt').then((library) => console.log(library.Client === Client ? 'works' : 'two instances'))
`

const WORKER = `
import { Worker, isMainThread } from 'node:worker_threads'
if (isMainThread) {
  const workers = [1, 2, 3].map(() => new Worker(new URL(import.meta.url)))
  for (const worker of workers) worker.on('error', (error) => console.log(error.message))
} else {
  await import('./main.mjs')
}
`

const CLUSTER = `
import cluster from 'node:cluster'
if (cluster.isPrimary) for (const _ of [1, 2]) cluster.fork()
else {
  await import('./main.mjs')
  cluster.worker.disconnect()
}
`

/** A test of a test runner, with the globals of Jest or Vitest. */
const runnerTest = (take, name, fake = '') => `${take}
test('${name}', async () => {
  ${fake}
  const client = await Client.connect('127.0.0.1', Number(process.env.PORT), { timeout: 20 })
  await client.subscribe('${name}', { qos: 1 })
  await client.publish('${name}', new Uint8Array(Buffer.from('works')), { qos: 1 })
  const { value } = await client.messages.next()
  expect(value.text()).toBe('works')
  expect(value.payload instanceof Uint8Array || Buffer.isBuffer(value.payload)).toBe(true)
  await client.disconnect()
}, 60_000)
`

const TYPED = `
import { Client, MqttError, type ClientOptions, type Message, type Properties } from 'aiomqtt'
import { DurableStore } from 'aiomqtt/store'
export async function main(user?: string, signal?: AbortSignal): Promise<void> {
  const options: ClientOptions = {
    ...(user === undefined ? {} : { username: user }),
    will: { topic: 'x', payload: 'y', qos: 1 },
    reconnect: { minDelay: 1 },
    store: new DurableStore('x'),
  }
  const client = await Client.connect('localhost', options)
  await client.publish('a', 'x', { qos: 1, ...(signal === undefined ? {} : { signal }) })
  await client.subscribe([['a/#', 1], ['b', 0]])
  for await (const message of client.messages) {
    const one: Message = message
    const properties: Properties | null = one.properties
    console.log(one.text(), properties)
    break
  }
  try {
    await client.disconnect()
  } catch (error: unknown) {
    if (error instanceof MqttError) console.log(error.code)
  }
}
`

const tsconfig = (compilerOptions) =>
  JSON.stringify({
    compilerOptions: {
      target: 'es2022',
      strict: true,
      noEmit: true,
      exactOptionalPropertyTypes: true,
      ...compilerOptions,
    },
    files: ['main.ts'],
  })

/** Module settings, and whether the file is an ES module. */
const SETTINGS = {
  node10: { module: 'commonjs', moduleResolution: 'node', type: 'commonjs' },
  'node16, CommonJS': { module: 'node16', moduleResolution: 'node16', type: 'commonjs' },
  'node16, ES module': { module: 'node16', moduleResolution: 'node16', type: 'module' },
  nodenext: { module: 'nodenext', moduleResolution: 'nodenext', type: 'module' },
  bundler: { module: 'esnext', moduleResolution: 'bundler', type: 'module' },
}

/** @param {string} version @param {string[]} without settings that this version does not have */
function typescript(version, types, without = []) {
  const files = {}
  const commands = []
  for (const [name, { type, ...options }] of Object.entries(SETTINGS)) {
    if (without.includes(name)) continue
    for (const [kind, more] of Object.entries({
      strict: { skipLibCheck: false, types: ['node'] },
      bare: { skipLibCheck: true, types: [] },
    })) {
      const folder = `${name.replaceAll(/\W+/g, '-')}-${kind}`
      files[`${folder}/package.json`] = JSON.stringify({ type })
      files[`${folder}/main.ts`] = TYPED
      files[`${folder}/tsconfig.json`] = tsconfig({ ...options, ...more, lib: ['es2022'] })
      commands.push(`node node_modules/typescript/bin/tsc -p ${folder}`)
    }
  }
  return {
    packages: [`typescript@${version}`, `@types/node@${types}`],
    files,
    commands: [...commands, 'echo works'],
  }
}

const WEBPACK = `module.exports = {
  mode: 'production', target: 'node', entry: './main.mjs', experiments: { topLevelAwait: true },
  output: { path: __dirname + '/out', filename: 'main.cjs' },
}
`

const VITE = `export default { build: { ssr: 'main.mjs', outDir: 'out' }, logLevel: 'error', SSR }
`

const NEXT = {
  'app/layout.js':
    'export default function Layout({ children }) { return <html><body>{children}</body></html> }',
  'app/page.js': 'export default function Page() { return <p>page</p> }',
  'app/api/publish/route.js': `
import { Client } from 'aiomqtt'
export const dynamic = 'force-dynamic'
export async function GET() {
  const client = await Client.connect('127.0.0.1', Number(process.env.PORT), { timeout: 20 })
  await client.publish('a', 'x', { qos: 1 })
  await client.disconnect()
  return new Response('works')
}`,
  'serve.mjs': `
import { spawn } from 'node:child_process'
const port = Number(process.env.PORT) + 1
const server = spawn(process.execPath, ['node_modules/next/dist/bin/next', 'start', '-H', '127.0.0.1', '-p', port], { stdio: ['ignore', 'inherit', 'inherit'] })
const get = (path) => fetch('http://127.0.0.1:' + port + path).then((answer) => answer.text(), () => null)
for (let tries = 0; tries < 300 && (await get('/')) === null; tries++) await new Promise((resolve) => setTimeout(resolve, 200))
console.log(await get('/api/publish'))
server.kill()
`,
}

const next = (config) => ({
  packages: ['next@16', 'react@19', 'react-dom@19'],
  files: { ...NEXT, 'next.config.mjs': `export default ${JSON.stringify(config)}` },
  commands: ['node node_modules/next/dist/bin/next build', 'node serve.mjs'],
  environment: { NEXT_TELEMETRY_DISABLED: '1' },
})

const SEA = `
const { getAsset } = require('node:sea')
const { mkdtempSync, writeFileSync } = require('node:fs')
const { join } = require('node:path')
const addon = join(mkdtempSync(join(require('node:os').tmpdir(), 'works-with-')), 'aiomqtt.node')
writeFileSync(addon, Buffer.from(getAsset('aiomqtt.node')))
process.env.AIOMQTT_ADDON = addon
`

/** @type {Record<string, { packages?: string[], files: Record<string, string>, commands: string[], environment?: object }>} */
export const TOOLS = {
  import: { files: programs, commands: ['node main.mjs'] },
  'require()': { files: programs, commands: ['node main.cjs'] },
  'import and require()': { files: { 'main.cjs': BOTH }, commands: ['node main.cjs'] },
  'worker threads': {
    files: { ...programs, 'workers.mjs': WORKER },
    commands: ['node workers.mjs'],
    lines: 3,
  },
  cluster: { files: { ...programs, 'cluster.mjs': CLUSTER }, commands: ['node cluster.mjs'], lines: 2 },
  'read-only file system': {
    files: programs,
    commands: ['node --permission --allow-addons --allow-worker --allow-fs-read=* main.mjs'],
    node: '24',
  },
  'zip, moved': {
    files: programs,
    commands: [
      'mkdir -p moved && cp -r node_modules main.mjs moved && rm -rf /tmp/aiomqtt-zip && mv moved /tmp/aiomqtt-zip && node /tmp/aiomqtt-zip/main.mjs; rm -r /tmp/aiomqtt-zip',
    ],
  },
  'TypeScript 5.0': typescript('5.0', '20'),
  'TypeScript 5.4': typescript('5.4', '20'),
  'TypeScript 5.9': typescript('5.9', '20'),
  'TypeScript 6': typescript('6', '24', ['node10']),
  'TypeScript 7': typescript('7', '24', ['node10']),
  tsx: {
    packages: ['tsx@4'],
    files: { 'main.ts': IMPORT },
    commands: ['node node_modules/tsx/dist/cli.mjs main.ts'],
  },
  'ts-node': {
    packages: ['ts-node@10', 'typescript@5.9', '@types/node@20'],
    files: {
      'main.ts': IMPORT.replace('messages.next()).value', 'messages.next()).value!'),
      'tsconfig.json':
        '{ "compilerOptions": { "module": "commonjs", "moduleResolution": "node", "target": "es2022", "strict": false } }',
    },
    commands: ['node node_modules/ts-node/dist/bin.js main.ts'],
  },
  'esbuild, CommonJS': {
    packages: ['esbuild@0.28'],
    files: programs,
    commands: [
      'node node_modules/esbuild/bin/esbuild main.mjs --bundle --platform=node --format=cjs --outfile=out/main.cjs',
      'node out/main.cjs',
    ],
  },
  'esbuild, ES module': {
    packages: ['esbuild@0.28'],
    files: programs,
    commands: [
      'node node_modules/esbuild/bin/esbuild main.mjs --bundle --platform=node --format=esm --outfile=out/main.mjs',
      'node out/main.mjs',
    ],
  },
  Rollup: {
    packages: ['rollup@4', '@rollup/plugin-node-resolve@16', '@rollup/plugin-commonjs@29'],
    files: {
      ...programs,
      'rollup.config.mjs': `
import commonjs from '@rollup/plugin-commonjs'
import resolve from '@rollup/plugin-node-resolve'
export default { input: 'main.mjs', output: { dir: 'out', format: 'es', entryFileNames: '[name].mjs' }, plugins: [resolve({ preferBuiltins: true }), commonjs({ ignoreDynamicRequires: true })], external: ['bufferutil', 'utf-8-validate'] }
`,
    },
    commands: ['node node_modules/rollup/dist/bin/rollup -c --silent', 'node out/main.mjs'],
  },
  webpack: {
    packages: ['webpack@5', 'webpack-cli@6'],
    files: { ...programs, 'webpack.config.cjs': WEBPACK },
    commands: ['node node_modules/webpack/bin/webpack.js', 'node out/main.cjs'],
  },
  "Vite's SSR": {
    packages: ['vite@7'],
    files: { ...programs, 'vite.config.mjs': VITE.replace('SSR }', 'ssr: {} }') },
    commands: ['node node_modules/vite/bin/vite.js build', 'node out/main.js'],
    manifest: { type: 'module' },
  },
  "Vite's SSR, bundled": {
    packages: ['vite@7'],
    files: { ...programs, 'vite.config.mjs': VITE.replace('SSR }', 'ssr: { noExternal: true } }') },
    commands: ['node node_modules/vite/bin/vite.js build', 'node out/main.js'],
    manifest: { type: 'module' },
  },
  ncc: {
    packages: ['@vercel/ncc@0.38'],
    files: programs,
    commands: [
      'node node_modules/@vercel/ncc/dist/ncc/cli.js build main.cjs -o out --quiet',
      'node out/index.js || node out/index.cjs',
    ],
  },
  'Next.js': next({ serverExternalPackages: ['aiomqtt'] }),
  'Next.js, bundled': next({}),
  'Jest, CommonJS': {
    packages: ['jest@30'],
    files: Object.fromEntries(
      ['one', 'two'].map((name) => [
        `${name}.test.js`,
        runnerTest("const { Client } = require('aiomqtt')\nrequire('aiomqtt/store')", name),
      ]),
    ),
    commands: ['node node_modules/jest/bin/jest.js --ci', 'echo works'],
  },
  'Jest, ES modules': {
    packages: ['jest@30'],
    files: Object.fromEntries(
      ['one', 'two'].map((name) => [
        `${name}.test.mjs`,
        runnerTest("import { Client } from 'aiomqtt'\nimport 'aiomqtt/store'", name),
      ]),
    ),
    commands: [
      'node --experimental-vm-modules node_modules/jest/bin/jest.js --ci --testMatch "**/*.test.mjs"',
      'echo works',
    ],
  },
  ...Object.fromEntries(
    ['forks', 'threads', 'vmForks', 'vmThreads'].map((pool) => [
      `Vitest, ${pool}`,
      {
        packages: ['vitest@4'],
        files: {
          'one.test.mjs': runnerTest("import { Client } from 'aiomqtt'", 'one'),
          'two.test.mjs': runnerTest(
            "import { Client } from 'aiomqtt'",
            'two',
            "vi.useFakeTimers({ toFake: ['Date', 'setTimeout', 'setInterval'] })",
          ),
        },
        commands: [`node node_modules/vitest/vitest.mjs run --globals --pool=${pool}`, 'echo works'],
      },
    ]),
  ),
  pnpm: {
    files: programs,
    packages: ['pnpm@10'],
    commands: [
      'mkdir -p strict && cp main.mjs *.tgz strict && cd strict && echo \'{ "private": true }\' > package.json && node ../node_modules/pnpm/bin/pnpm.cjs add --silent --ignore-scripts ./*.tgz && node main.mjs',
    ],
  },
  "Yarn Plug'n'Play": {
    files: programs,
    packages: ['@yarnpkg/cli-dist@4'],
    commands: [
      'mkdir -p pnp && cp main.mjs *.tgz pnp && cd pnp && echo \'{ "private": true }\' > package.json && touch yarn.lock && export YARN_ENABLE_TELEMETRY=0 YARN_ENABLE_GLOBAL_CACHE=0 && node ../node_modules/@yarnpkg/cli-dist/bin/yarn.js add aiomqtt@file:$(ls $PWD/*.tgz) > yarn.log && node ../node_modules/@yarnpkg/cli-dist/bin/yarn.js node main.mjs',
    ],
  },
  'single executable': {
    packages: ['esbuild@0.28', 'postject@1.0.0-alpha.6'],
    files: {
      'main.js': SEA + REQUIRE,
      'sea.json': JSON.stringify({
        main: 'out/main.cjs',
        output: 'out/sea.blob',
        disableExperimentalSEAWarning: true,
        assets: { 'aiomqtt.node': 'aiomqtt.node' },
      }),
    },
    commands: [
      'node node_modules/esbuild/bin/esbuild main.js --bundle --platform=node --format=cjs --outfile=out/main.cjs',
      'cp node_modules/aiomqtt/prebuilds/*/*.node aiomqtt.node',
      'node --experimental-sea-config sea.json && cp "$(command -v node)" out/program',
      'node node_modules/postject/dist/cli.js out/program NODE_SEA_BLOB out/sea.blob --sentinel-fuse NODE_SEA_FUSE_fce680ab2cc467b6e072b8b5df1996b2',
      './out/program',
    ],
  },
}
