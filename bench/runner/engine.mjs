// The engine without Node: the row that shows what JavaScript adds.

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
 * Builds the engine's own benchmark, unless it is up to date or was made by hand.
 *
 * @param {string | undefined} given the value of --engine
 * @returns {string | null} the executable; null when it cannot be built here, which is said
 * @throws {Failure} the given file does not exist
 */
export function provideEngine(given) {
  if (given !== undefined) {
    if (!existsSync(given)) throw new Failure(`--engine: there is no ${given}.`)
    return given
  }
  const executable = at(FOLDER, process.platform === 'win32' ? 'engine-bench.exe' : 'engine-bench')
  const inputs = `${addonInputs()} ${hashFiles(filesBelow('native/bench'))}`
  if (existsSync(executable) && isDone('engine-bench', inputs)) return executable
  say("Building the engine's own benchmark")
  try {
    const isNew = !existsSync(at(FOLDER, 'CMakeCache.txt'))
    const generator = isNew && findProgram('ninja') ? ['-G', 'Ninja'] : []
    const settings = ['-DCMAKE_BUILD_TYPE=Release', '-DAIOMQTT_BENCH=ON', '--log-level=WARNING']
    run('cmake', ['-S', at('.'), '-B', at(FOLDER), ...generator, ...settings])
    run('cmake', ['--build', at(FOLDER), '--parallel', '2', '--target', 'engine-bench'], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    markDone('engine-bench', inputs)
    return executable
  } catch (error) {
    if (!(error instanceof Failure)) throw error
    say(`Without the engine's own benchmark: ${error.message}`)
    return null
  }
}
