import { readFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'
import type { Command } from 'commander'
import { isObject, nearest } from '../support/validate.js'
import { CommandError } from './command-error.js'

/** Options of which a profile may have only the one that says where the broker is, if the command line says so itself. */
const PLACES = ['host', 'url', 'unix']

/** Where profiles are: `AIOMQTT_PROFILES`, else the usual folder for configuration. */
function profilesFile(): string {
  const folder = process.env.XDG_CONFIG_HOME || join(homedir(), '.config')
  return process.env.AIOMQTT_PROFILES || join(folder, 'aiomqtt', 'profiles.json')
}

/**
 * Gives a command the options of the profile that `--profile` names, as if they had been typed; what is on the command
 * line comes before them.
 * @throws {CommandError} no such file or profile, or an option that the command does not have
 */
export async function applyProfile(command: Command): Promise<void> {
  const name = command.getOptionValue('profile') as string | undefined
  if (name === undefined) return
  const file = profilesFile()
  const profile = await readProfile(file, name)
  const isPlaceGiven =
    command.args.length > 0 || PLACES.some((place) => command.getOptionValueSource(place) === 'cli')
  for (const [key, value] of Object.entries(profile)) {
    const option = command.options.find(({ long }) => long === `--${key}`)
    if (option === undefined) {
      const known = command.options.flatMap(({ long }) => (long === undefined ? [] : [long.slice(2)]))
      throw new CommandError(
        `${file}: ${name} has no option ${key} for ${command.name()}. Did you mean ${nearest(key, known)}?`,
      )
    }
    const attribute = option.attributeName()
    if (command.getOptionValueSource(attribute) === 'cli') continue
    if (isPlaceGiven && PLACES.includes(attribute)) continue
    const takesValue = option.required || option.optional
    if (takesValue ? typeof value !== 'string' && typeof value !== 'number' : typeof value !== 'boolean') {
      throw new CommandError(
        `${file}: ${key} of ${name} must be ${takesValue ? 'a string' : 'true or false'}`,
      )
    }
    try {
      const parsed = takesValue && option.parseArg ? option.parseArg(String(value), undefined) : value
      command.setOptionValueWithSource(attribute, parsed, 'config')
    } catch (error) {
      throw new CommandError(`${file}: ${key} of ${name}: ${(error as Error).message}`)
    }
  }
}

async function readProfile(file: string, name: string): Promise<Record<string, unknown>> {
  let profiles: unknown
  try {
    profiles = JSON.parse(await readFile(file, 'utf8'))
  } catch (error) {
    throw new CommandError(`--profile ${name}: ${file} cannot be read: ${(error as Error).message}`)
  }
  if (!isObject(profiles)) throw new CommandError(`${file} must have an object, a member for each profile`)
  const profile = Object.hasOwn(profiles, name) ? profiles[name] : undefined
  if (isObject(profile)) return profile
  throw new CommandError(
    `${file} has no profile ${name}. It has ${Object.keys(profiles).join(', ') || 'none'}.`,
  )
}

/** What the options say of the password. */
export interface PasswordFlags {
  pw?: string
  pwFile?: string
  askPw?: boolean
}

/**
 * The password: of the option, a file, a prompt, or the variable AIOMQTT_PASSWORD.
 * @throws {CommandError} more than one of the options, a file that cannot be read, or no terminal to ask on
 */
export async function passwordOf({ pw, pwFile, askPw }: PasswordFlags): Promise<string | undefined> {
  if ([pw, pwFile, askPw].filter((value) => value !== undefined).length > 1) {
    throw new CommandError('Only one of -P, --pw-file and --ask-pw can say what the password is')
  }
  if (askPw) return await askForPassword()
  if (pwFile === undefined) return pw ?? (process.env.AIOMQTT_PASSWORD || undefined)
  try {
    // Editors end the last line.
    return (await readFile(pwFile, 'utf8')).replace(/\r?\n$/, '')
  } catch (error) {
    throw new CommandError(`--pw-file cannot be read: ${(error as Error).message}`)
  }
}

async function askForPassword(): Promise<string> {
  if (!process.stdin.isTTY) throw new CommandError('--ask-pw needs a terminal; --pw-file reads a file')
  process.stderr.write('Password: ')
  // What is typed is echoed to nowhere.
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  const prompt = createInterface({ input: process.stdin, output: nowhere, terminal: true })
  try {
    return await new Promise<string>((resolve, reject) => {
      prompt.once('line', resolve)
      prompt.once('close', () => reject(new CommandError('No password was given')))
      prompt.once('SIGINT', () => reject(new CommandError('No password was given')))
    })
  } finally {
    prompt.close()
    process.stderr.write('\n')
  }
}
