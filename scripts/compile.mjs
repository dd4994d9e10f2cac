// TypeScript becomes what the package has: dist/ as ES modules, and the same again as CommonJS in dist/cjs.

import { chmodSync, copyFileSync, existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, relative } from 'node:path'
import { at, filesBelow, hashFiles, isDone, markDone, runPackage, say } from './steps.mjs'

/** Compiles ts/ if it has changed. */
export function compile() {
  const inputs = hashFiles([
    ...['tsconfig.json', 'package.json', 'package-lock.json', 'scripts/compile.mjs'],
    ...filesBelow('ts'),
  ])
  if (existsSync(at('dist/cjs/index.js')) && isDone('typescript', inputs)) return
  say('Compiling TypeScript')
  compileTypeScript('tsconfig.json', 'ts', 'dist')
  chmodSync(at('dist/cli/main.js'), 0o755)
  addCommonJs()
  markDone('typescript', inputs)
}

/** Compiles a TypeScript project, and removes what earlier versions of it left in its output folder. */
export function compileTypeScript(project, sources, output) {
  runPackage('typescript/bin/tsc', ['-p', project])
  const expected = new Set(filesBelow(sources, isSource).map((file) => stem(relative(sources, file))))
  for (const file of filesBelow(output)) {
    if (!expected.has(stem(relative(output, file)))) rmSync(at(file))
  }
}

/**
 * The library, without the command, for those who cannot load ES modules by `require()`: Jest, and Node before 20.19 and
 * 22.12. These import it too (`import` in package.json's `exports`), so that a process has it once.
 */
function addCommonJs() {
  const files = filesBelow('dist', (file) => !/^dist.cli[\\/]/.test(file))
  const { buildSync } = createRequire(import.meta.url)('esbuild')
  buildSync({
    absWorkingDir: at(),
    entryPoints: files.filter((file) => file.endsWith('.js')),
    outdir: 'dist/cjs',
    outbase: 'dist',
    platform: 'node',
    format: 'cjs',
    target: 'node20',
    define: { 'import.meta.url': '__filename' },
    // Jest has no import() without a flag of Node's.
    supported: { 'dynamic-import': false },
  })
  for (const file of files.filter((name) => name.endsWith('.d.ts'))) {
    const copy = at('dist/cjs', relative('dist', file))
    mkdirSync(dirname(copy), { recursive: true })
    copyFileSync(at(file), copy)
  }
  writeFileSync(at('dist/cjs/package.json'), '{ "type": "commonjs" }\n')
  for (const folder of ['', 'store/']) {
    writeFileSync(at('dist/cjs', folder, 'index.mjs'), "export * from './index.js'\n")
  }
}

function isSource(file) {
  return file.endsWith('.ts')
}

function stem(file) {
  return file.replace(/(\.d)?\.[cm]?[jt]s$/, '')
}
