import { Command, CommanderError } from 'commander'
import { version } from '../version.js'
import { reportFailure } from './action.js'
import { buildBench } from './bench/bench.js'
import { buildDoctor } from './doctor/doctor.js'
import { buildPub } from './pub.js'
import { buildSub } from './sub.js'

/** Runs what the arguments ask for, and sets the exit code of the process. */
export async function runProgram(args: readonly string[]): Promise<void> {
  const program = command('aiomqtt')
    .description('MQTT from the command line.')
    .version(version, '--version', 'print the version')
  for (const [name, build] of Object.entries({
    pub: buildPub,
    sub: buildSub,
    bench: buildBench,
    doctor: buildDoctor,
  })) {
    program.addCommand(build(command(name)))
  }
  try {
    await program.parseAsync(args)
  } catch (error) {
    if (error instanceof CommanderError) process.exitCode = error.exitCode
    else reportFailure(error)
  }
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
