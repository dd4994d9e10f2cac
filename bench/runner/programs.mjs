// The native programs of the benchmarks (native/bench): the engine without Node, which is the row that shows what
// JavaScript adds, and the pacer, which publishes at an even pace.

import { existsSync } from 'node:fs'
import { addonInputs } from '../../scripts/setup.mjs'
import {
  at,
  Failure,
  filesBelow,
  findProgram,
  hashFiles,
  isDone,
  markDone,
  run,
  say,
} from '../../scripts/steps.mjs'

const FOLDER = 'build/engine-bench'

/**
 * The engine's own benchmark, built unless it is up to date or was made by hand.
 *
 * @param {string | undefined} given the value of --engine
 * @returns {string | null} the executable; null when it cannot be built here, which is said
 * @throws {Failure} the given file does not exist
 */
export function provideEngine(given) {
  if (given === undefined) return provide('engine-bench', "the engine's own benchmark")
  if (!existsSync(given)) throw new Failure(`--engine: there is no ${given}.`)
  return given
}

/** The pacer, built unless it is up to date; null when it cannot be built here, which is said. */
export function providePacer() {
  return provide('pacer', 'the pacer')
}

function provide(target, what) {
  const executable = at(FOLDER, process.platform === 'win32' ? `${target}.exe` : target)
  const inputs = `${addonInputs()} ${hashFiles(filesBelow('native/bench'))}`
  if (existsSync(executable) && isDone(target, inputs)) return executable
  say(`Building ${what}`)
  try {
    const isNew = !existsSync(at(FOLDER, 'CMakeCache.txt'))
    const generator = isNew && findProgram('ninja') ? ['-G', 'Ninja'] : []
    const settings = ['-DCMAKE_BUILD_TYPE=Release', '-DAIOMQTT_BENCH=ON', '--log-level=WARNING']
    run('cmake', ['-S', at('.'), '-B', at(FOLDER), ...generator, ...settings])
    run('cmake', ['--build', at(FOLDER), '--parallel', '2', '--target', target], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    markDone(target, inputs)
    return executable
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    say(`Without ${what}: ${error.message}`)
    return null
  }
}
