// What the scripts share: running programs, saying what is done, and knowing what is up to date.

import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, realpathSync, writeFileSync } from 'node:fs'
import { delimiter, join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { stripVTControlCharacters } from 'node:util'

/** The repository's folder. */
export const root = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')

/** A failure whose message alone tells the user what to do: no stack is shown. */
export class Failure extends Error {}

/** Says what is being done, a line each. */
export function say(line) {
  console.log(process.stdout.isTTY ? `\x1b[1m» ${line}\x1b[0m` : `» ${line}`)
}

/** A path in the repository, from its parts. */
export function at(...parts) {
  return join(root, ...parts)
}

/** Runs a program to its end, its output shown; throws a Failure when it does not succeed. */
export function run(command, args, options = {}) {
  const answer = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], ...options })
  if (answer.error) throw new Failure(`${command} could not be started: ${answer.error.message}`)
  if (answer.status !== 0) {
    const how = answer.signal ? `ended by ${answer.signal}` : `ended with code ${answer.status}`
    throw new Failure(`${[command, ...args].map(shorten).join(' ')}: ${how}`)
  }
  return answer.stdout
}

/** Runs the script of a package of node_modules with this Node. */
export function runPackage(script, args, options) {
  return run(process.execPath, [at('node_modules', script), ...args], options)
}

/**
 * Runs a program to its end and shows its output; resolves with its exit code and what it wrote, without colours.
 *
 * @param {string} [heading] shows the output when it is complete, under this line: for programs that run at a time
 */
export async function observe(command, args, options = {}, heading = undefined) {
  const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'], ...options })
  const chunks = []
  for (const [from, to] of [
    [child.stdout, process.stdout],
    [child.stderr, process.stderr],
  ]) {
    from.on('data', (chunk) => {
      chunks.push(chunk)
      if (heading === undefined) to.write(chunk)
    })
  }
  const code = await new Promise((resolve, reject) => {
    child.on('error', (error) => reject(new Failure(`${command} could not be started: ${error.message}`)))
    child.on('close', (status) => resolve(status ?? 1))
  })
  const output = Buffer.concat(chunks).toString()
  if (heading !== undefined) {
    say(heading)
    process.stdout.write(output)
  }
  return { code, output: stripVTControlCharacters(output) }
}

function shorten(argument) {
  return argument.startsWith(root) ? relative(root, argument) || '.' : argument
}

/** Runs npm: the one that runs this script, or the one in PATH. */
export function runNpm(args) {
  const npm = process.env.npm_execpath
  if (npm?.endsWith('.js')) run(process.execPath, [npm, ...args])
  else run('npm', args, { shell: process.platform === 'win32' })
}

/** The full path of a program in PATH or in the given folders, or null. */
export function findProgram(name, folders = []) {
  const suffixes = process.platform === 'win32' ? ['.exe', '.cmd'] : ['']
  for (const folder of [...(process.env.PATH ?? '').split(delimiter), ...folders]) {
    for (const suffix of suffixes) {
      const path = join(folder, name + suffix)
      if (folder !== '' && existsSync(path)) return path
    }
  }
  return null
}

/** The programs that the setup has found or fetched for the tests, by their packages' names. */
export function readTools() {
  const file = at('build/tools.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
}

/** All files below a folder of the repository, or the file itself, sorted, as paths from the root. */
export function filesBelow(path, accept = () => true) {
  const full = at(path)
  if (!existsSync(full)) return []
  const files = readdirSync(full, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => relative(root, join(entry.parentPath ?? entry.path, entry.name)))
  return files.filter(accept).sort()
}

/** One hash over names and contents of files. */
export function hashFiles(paths) {
  const hash = createHash('sha256')
  for (const path of paths) {
    hash.update(`${path}\0`)
    hash.update(readFileSync(at(path)))
    hash.update('\0')
  }
  return hash.digest('hex')
}

/** True when the step was last finished with the same inputs. */
export function isDone(step, inputs) {
  const file = at('build/stamps', step)
  return existsSync(file) && readFileSync(file, 'utf8') === inputs
}

/** Remembers the inputs with which a step was finished. */
export function markDone(step, inputs) {
  mkdirSync(at('build/stamps'), { recursive: true })
  writeFileSync(at('build/stamps', step), inputs)
}

/** True in the file that Node was started with. */
export function isMain(url) {
  return process.argv[1] !== undefined && realpathSync(process.argv[1]) === fileURLToPath(url)
}

/**
 * Runs a script's main function, and turns failures into a message and exit code 1. With `--help` it prints what the
 * comment at the script's head says instead.
 *
 * @param {() => unknown} action
 * @param {{ hasOwnHelp?: boolean }} [options] `hasOwnHelp`: `action` answers `--help` itself
 */
export async function main(action, { hasOwnHelp = false } = {}) {
  try {
    if (!hasOwnHelp && process.argv.includes('--help')) console.log(headOf(process.argv[1]))
    else await action()
  } catch (error) {
    console.error(describe(error))
    process.exitCode = 1
  }
}

/** The comment that a script begins with. */
function headOf(script) {
  const lines = readFileSync(script, 'utf8').split('\n')
  return lines
    .slice(
      0,
      lines.findIndex((line) => !line.startsWith('//')),
    )
    .map((line) => line.slice(3))
    .join('\n')
}

function describe(error) {
  if (error instanceof Failure) return `\n${error.message}`
  if (error.code?.startsWith('ERR_PARSE_ARGS_')) return `\n${error.message}\n--help says what there is.`
  return error
}
