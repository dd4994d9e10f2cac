// Commands in Markdown exist, with their options.

import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import test from 'ava'
import { blocksOf, markdownFiles, proseOf, root } from '../helpers/markdown.js'

interface Manifest {
  bin?: Record<string, string>
  scripts: Record<string, string>
  devDependencies: Record<string, string>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest

/** What npm itself does. */
const NPM = new Set(['ci', 'install', 'pack', 'publish', 'run', 'test', 'version'])

/** Programs that are not of this repository, and are what they are. */
const FOREIGN = new Set([
  'sudo',
  'git',
  'cd',
  'ctest',
  'psql',
  'mosquitto',
  'mosquitto_pub',
  'mosquitto_sub',
  'vcpkg',
])

/** A command as it stands on a line, without its comment, in words. */
interface Command {
  readonly where: string
  readonly words: readonly string[]
}

/** All commands of a line of a shell. */
function commandsIn(line: string, where: string): Command[] {
  return line
    .replace(/(^|\s)#.*$|<[^>]*>/g, '')
    .split(/&&|\|\|?|;/)
    .map((command) => ({ where, words: command.trim().split(/\s+/) }))
    .filter(({ words }) => words[0] !== '')
}

const inBlocks = markdownFiles()
  .flatMap(blocksOf)
  .filter(({ language }) => language === 'sh')
  .flatMap(({ file, line, text }) => {
    const lines = text.replaceAll('\\\n', ' ').split('\n')
    return lines.flatMap((content) => commandsIn(content, `${file}:${line}`))
  })

const inProse = markdownFiles().flatMap((file) => {
  const found = proseOf(file).matchAll(/`((?:npm|npx|node) [^`]+)`/g)
  return Array.from(found, ([, text]) => commandsIn(text.replaceAll('\n', ' '), file)).flat()
})

/** The text of a script and of those that it imports from this repository. */
function sourceOf(script: string, seen = new Set<string>()): string {
  if (seen.has(script) || !existsSync(join(root, script))) return ''
  seen.add(script)
  const text = readFileSync(join(root, script), 'utf8')
  const imported = Array.from(text.matchAll(/(?:from|at\()\s*'(\.{0,2}[^']*\.mjs)'/g), ([, path]) => {
    return path.startsWith('.') ? normalize(join(dirname(script), path)) : path
  })
  return [text, ...imported.map((path) => sourceOf(path, seen))].join('\n')
}

/** Why an option is none of a script's, or null. */
function optionFault(script: string, option: string): string | null {
  const name = option.replace(/^--/, '').replace(/=.*$/, '')
  const isKnown = new RegExp(`['"\`\\s{,]${name}['"]?:|--${name}\\b`).test(sourceOf(script))
  return isKnown ? null : `${script} has no --${name}`
}

/** Why a command does not exist, or null. */
function faultOf(words: readonly string[]): string | null {
  const [program, ...rest] = words.filter((word) => !/^\w+=/.test(word))
  if (program === 'npm') return npmFault(rest)
  if (program === 'npx' && rest[0] === 'aiomqtt') return commandLineFault(rest.slice(1))
  if (program === 'npx') {
    return existsSync(join(root, 'node_modules/.bin', rest[0]))
      ? null
      : `no package has the program ${rest[0]}`
  }
  if (program === 'node') {
    const script = rest.find((word) => /\.m?js$/.test(word)) ?? ''
    return existsSync(join(root, script)) ? null : `${script} does not exist`
  }
  return FOREIGN.has(program) ? null : `what is ${program}?`
}

const helps = new Map<string, string | null>()

/** What the package's own command line says of a command; null where it has none. */
function helpOf(command: string): string | null {
  const known = helps.get(command)
  if (known !== undefined) return known
  const args = [join(root, manifest.bin?.aiomqtt ?? ''), command, '--help']
  const { status, stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
  const help = status === 0 ? stdout : null
  helps.set(command, help)
  return help
}

/** Why the package's own command line has no such command or option, or null. */
function commandLineFault([command, ...words]: readonly string[]): string | null {
  const help = helpOf(command)
  if (help === null) return `aiomqtt has no ${command}`
  const unknown = words.find((word) => {
    const option = /^(--?[a-zA-Z][\w-]*)/.exec(word)?.[1]
    return option !== undefined && !new RegExp(`(?<![\\w-])${option}(?![\\w-])`).test(help)
  })
  return unknown === undefined ? null : `aiomqtt ${command} has no ${unknown}`
}

function npmFault(words: readonly string[]): string | null {
  const [command, name] = words
  if (!NPM.has(command)) return `npm has no ${command}`
  if (command !== 'run') return null
  const script = manifest.scripts[name]
  if (script === undefined) return `there is no script ${name}`
  const file = /^node (\S+)/.exec(script)?.[1] ?? ''
  const given = words.slice(2).filter((word) => /^--\w/.test(word) && word !== '--help')
  return given.map((option) => optionFault(file, option)).find((fault) => fault !== null) ?? null
}

test('commands in blocks and in the text exist, with their options', (t) => {
  t.true(inBlocks.length > 20)
  t.true(inProse.length > 20)
  for (const { where, words } of [...inBlocks, ...inProse]) {
    t.is(faultOf(words), null, `${where}: ${words.join(' ')}`)
  }
})

test('a command that does not exist is found', (t) => {
  t.is(faultOf(['npm', 'run', 'nonsense']), 'there is no script nonsense')
  t.is(faultOf(['npm', 'run', 'bench', '--', '--nonsense']), 'bench/run.mjs has no --nonsense')
  t.is(faultOf(['npm', 'run', 'bench', '--', '--quick']), null)
  t.is(faultOf(['node', 'examples/nonsense.mjs']), 'examples/nonsense.mjs does not exist')
})

test('every fenced block says its language', (t) => {
  const known = new Set(['dockerfile', 'ini', 'js', 'json', 'sh', 'sql', 'text', 'ts', 'yaml'])
  for (const { file, line, language } of markdownFiles().flatMap(blocksOf)) {
    t.true(known.has(language), `${file}:${line}: ${language}`)
  }
})
