import { type SpawnSyncReturns, spawnSync } from 'node:child_process'
import {
  copyFileSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

/** The repository's folder, seen from build/test/build. */
export const root = fileURLToPath(new URL('../../..', import.meta.url))

/** The folder of prebuilds/ that is for this machine. */
export const platform = `${process.platform}-${process.arch}`

/** The addon that was built here. */
export const builtAddon = join(root, 'build/Release/aiomqtt.node')

/** Runs a Node program to its end and returns what it wrote. */
export function node(
  args: string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv } = {},
): SpawnSyncReturns<string> {
  return spawnSync(process.execPath, args, { encoding: 'utf8', cwd: root, ...options })
}

/** A copy of the installed package in a temporary folder, without any binary until one is put there. */
export class PackageCopy {
  readonly folder = mkdtempSync(join(tmpdir(), 'aiomqtt-package-'))

  constructor() {
    cpSync(join(root, 'dist'), join(this.folder, 'dist'), { recursive: true })
    copyFileSync(join(root, 'package.json'), join(this.folder, 'package.json'))
  }

  /** Puts a file where the package has it. */
  put(path: string, content: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true })
    writeFileSync(join(this.folder, path), content)
  }

  /** Puts a link to a file, or to a folder, where the package has it. */
  link(path: string, target: string): void {
    mkdirSync(dirname(join(this.folder, path)), { recursive: true })
    symlinkSync(target, join(this.folder, path))
  }

  /** Puts prebuilt binaries there. */
  addPrebuilds(folder: string): void {
    cpSync(folder, join(this.folder, 'prebuilds'), { recursive: true })
  }

  /**
   * What loading the addon gives in a process of its own: the version of Paho, or the error.
   * @param env further variables of the environment
   * @param before runs first
   */
  load(env: NodeJS.ProcessEnv = {}, before = ''): { pahoVersion?: string; code?: string; message?: string } {
    const program = `
      import { loadAddon } from './dist/engine/load-addon.js'
      ${before}
      let result
      try {
        result = { pahoVersion: loadAddon().pahoVersion }
      } catch ({ code, message }) {
        result = { code, message }
      }
      console.log(JSON.stringify(result))`
    const { stdout, stderr } = node(['--input-type=module', '--eval', program], {
      cwd: this.folder,
      env: { ...process.env, ...env },
    })
    if (stdout === '') throw new Error(stderr)
    return JSON.parse(stdout)
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true })
  }
}

/** The only file of a folder whose name ends so. */
export function onlyFile(folder: string, ending: string): string {
  const files = readdirSync(folder).filter((name) => name.endsWith(ending))
  if (files.length !== 1) throw new Error(`${folder} has ${files.length} files *${ending}`)
  return join(folder, files[0] as string)
}
