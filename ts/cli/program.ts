import { Command, CommanderError } from 'commander'
import { version } from '../version.js'
import { reportFailure } from './action.js'

/**
 * Gives a command its options and its action.
 * @param whole makes the program with all commands and their options, for those that describe it
 */
type Build = (command: Command, whole: () => Promise<Command>) => Command

/** A command: what it does, and the file that builds it, which is loaded only if it is asked for. */
interface Entry {
  readonly description: string
  readonly load: () => Promise<{ build: Build }>
}

const COMMANDS: Readonly<Record<string, Entry>> = {
  pub: {
    description: 'Publish a message, a file, or each line of standard input.',
    load: () => import('./pub.js'),
  },
  sub: { description: 'Subscribe, and print messages.', load: () => import('./sub.js') },
  rr: { description: 'Publish a request, and print the response.', load: () => import('./rr.js') },
  watch: {
    description: 'Show a live tree of topics, with rates, sizes and last values.',
    load: () => import('./watch/watch.js'),
  },
  record: { description: 'Write messages and their times to a file.', load: () => import('./record.js') },
  replay: {
    description: 'Publish what was recorded, at its own pace or another.',
    load: () => import('./replay.js'),
  },
  simulate: {
    description: 'Publish as a fleet of devices, from a template.',
    load: () => import('./simulate/simulate.js'),
  },
  bench: {
    description: 'Load a broker, and report rates and latencies.',
    load: () => import('./bench/bench.js'),
  },
  doctor: {
    description: 'Find out what is wrong with a connection, step by step.',
    load: () => import('./doctor/doctor.js'),
  },
  store: {
    description: 'List, check, repair, export and clear a durable store, without a client.',
    load: () => import('./store/store.js'),
  },
  completion: {
    description: 'Print the completion script of a shell: bash, zsh or fish.',
    load: () => import('./completion.js'),
  },
  man: { description: 'Print the man page.', load: () => import('./man.js') },
}

/** Runs what the arguments ask for, and sets the exit code of the process. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const [, , name = ''] = args
  const program = await programWith((candidate) => candidate === name)
  try {
    await program.parseAsync(args)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode
    else reportFailure(error)
  }
}

/**
 * The program with all of its commands.
 * @param isLoaded whether a command is wanted with its options; the others have nothing but their description
 */
async function programWith(isLoaded: (name: string) => boolean): Promise<Command> {
  const program = command('aiomqtt')
    .description('MQTT from the command line.')
    .version(version, '--version', 'print the version')
  for (const [name, { description, load }] of Object.entries(COMMANDS)) {
    const added = command(name).description(description)
    program.addCommand(isLoaded(name) ? (await load()).build(added, () => programWith(() => true)) : added)
  }
  return program
}

/** Mosquitto's -h is the host, so that help has only its long name. */
function command(name: string): Command {
  return new Command(name)
    .helpOption('--help', 'print this')
    .helpCommand(false)
    .showHelpAfterError(`See aiomqtt${name === 'aiomqtt' ? '' : ` ${name}`} --help`)
    .configureOutput({ outputError: (text, write) => write(text.replace(/^error:/, 'Error:')) })
    .exitOverride()
}
