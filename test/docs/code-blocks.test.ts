// Code in README.md, docs/ and other Markdown: JavaScript and TypeScript compile, and programs that are marked with
// `<!-- run -->` do what the page says.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import test from 'ava'
import { allowMinutes, within } from '../helpers/deadline.js'
import { type Block, blocksOf, markdownFiles, root } from '../helpers/markdown.js'
import { Mosquitto } from '../helpers/mosquitto.js'

const folder = join(root, 'build/docs-blocks')
const blocks = markdownFiles()
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'js' || language === 'ts')

/** What tsc said, a line each; the numbers of its lines are those of the Markdown file. */
let complaints: string[] = []

/** The name of a block's file, without its ending. */
function nameOf({ file, line }: Block): string {
  return `${file.replaceAll(/[/\\.]/g, '-')}-${line}`
}

test.before(async (t) => {
  allowMinutes(t, 3)
  await installPackages()
  await rm(folder, { recursive: true, force: true })
  await mkdir(folder, { recursive: true })
  await symlink(join(root, 'examples/packages/node_modules'), join(folder, 'node_modules'))
  for (const block of blocks) {
    const isModule = /^(?:import|export)\b/m.test(block.text)
    const source = `${'\n'.repeat(block.line - 1)}${block.text}\n${isModule ? '' : 'export {}\n'}`
    await writeFile(join(folder, `${nameOf(block)}.${block.language}`), source)
  }
  const preamble = await readFile(join(root, 'test/docs/preamble.d.ts'), 'utf8')
  await writeFile(join(folder, 'preamble.d.ts'), preamble)
  const compilerOptions = {
    ...{ rootDir: '.', outDir: 'compiled', declaration: false, allowJs: true, checkJs: true },
    ...{ noImplicitAny: false, noUnusedLocals: false, noUnusedParameters: false },
    experimentalDecorators: true, // NestJS
  }
  const project = { extends: '../../tsconfig.json', compilerOptions, include: ['./*'] }
  await writeFile(join(folder, 'tsconfig.json'), JSON.stringify(project))
  const compiler = join(root, 'node_modules/typescript/bin/tsc')
  const run = promisify(execFile)(process.execPath, [compiler, '-p', folder, '--pretty', 'false'], {
    cwd: folder,
  })
  complaints = await run.then(
    () => [],
    ({ stdout }: { stdout: string }) => stdout.split('\n').filter((line) => line !== ''),
  )
})

/** The packages of examples/packages, which programs in the documentation use: at the first run, and when they change. */
async function installPackages(): Promise<void> {
  const install =
    "import('./scripts/setup.mjs').then(({ installPackages }) => installPackages('examples/packages'))"
  await promisify(execFile)(process.execPath, ['-e', install], { cwd: root })
}

test('code compiles, with the package’s own types', (t) => {
  const named = complaints.map((line) => {
    const block = blocks.find((candidate) => line.startsWith(`${nameOf(candidate)}.`))
    return block === undefined ? line : `${block.file} ${line.slice(nameOf(block).length)}`
  })
  t.deepEqual(named, [])
  t.true(blocks.length > 10)
})

for (const block of blocks.filter(({ run }) => run !== null)) {
  test.serial(`${block.file}:${block.line} runs`, async (t) => {
    const broker = await Mosquitto.start()
    try {
      const { output, code } = await runBlock(block, `mqtt://${broker.host}:${broker.port}`)
      t.is(code, 0, output)
      if (block.prints !== null) t.regex(output.trim(), expectation(block.prints))
    } finally {
      await broker.stop()
    }
  })
}

/** Runs a block; `'localhost'` in it becomes the test's broker. The signal of `run: SIGTERM` comes after the first line. */
async function runBlock(block: Block, url: string): Promise<{ output: string; code: number | null }> {
  const name = join(folder, 'compiled', `${nameOf(block)}.js`)
  const source = (await readFile(name, 'utf8')).replace(/'localhost'(?:, 1883)?/g, `'${url}'`)
  const program = name.replace(/\.js$/, '.run.js')
  await writeFile(program, source)
  const child = spawn(process.execPath, [program], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
  let output = ''
  const signalled = block.run === '' ? null : (block.run as NodeJS.Signals)
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk) => {
      const isFirst = output === ''
      output += chunk
      if (isFirst && signalled !== null) child.kill(signalled)
    })
  }
  try {
    const [code] = await within(15_000, `${block.file}:${block.line}`, once(child, 'close'))
    return { output, code: code as number | null }
  } finally {
    child.kill('SIGKILL')
  }
}

/** What is printed; `…` stands for what differs from run to run. */
function expectation(prints: string): RegExp {
  const literal = prints.trim().replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${literal.replaceAll('…', '.+')}$`)
}
