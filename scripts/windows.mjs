// The addon and a Node for Windows, on Linux: cross-compiled with MinGW, run by Wine.

import { existsSync, mkdirSync } from 'node:fs'
import { provideNode } from './nodes.mjs'
import { at, Failure, findProgram, run, say } from './steps.mjs'

const TRIPLET = 'x86_64-w64-mingw32'

/** Programs that are needed, and Debian's packages that have them. */
const PROGRAMS = {
  wine: 'wine wine64',
  [`${TRIPLET}-g++-posix`]: 'g++-mingw-w64-x86-64-posix',
  cmake: 'cmake',
}

/** @throws {Failure} that names all that is missing, and the command to type */
export function checkWindowsTools() {
  const missing = Object.entries(PROGRAMS).filter(([name]) => !findProgram(name))
  if (missing.length === 0) return
  const names = missing.map(([name]) => name).join(', ')
  const packages = missing.map(([, name]) => name).join(' ')
  throw new Failure(`${names} not found.\nInstall the packages: sudo apt-get install ${packages}`)
}

/**
 * Builds the addon; Paho C for Windows has to be where deps/README.md says.
 *
 * @returns {string} the addon's path
 * @throws {Failure}
 */
export function buildForWindows() {
  const folder = at('build/cross/win32-x64')
  mkdirSync(folder, { recursive: true })
  // node.exe's own functions, by the list of their names.
  const library = `${folder}/libnode.a`
  const names = at('node_modules/node-api-headers/def/node_api.def')
  run(`${TRIPLET}-dlltool`, ['--input-def', names, '--dllname', 'node.exe', '--output-lib', library])
  const settings = {
    AIOMQTT_OUTPUT: folder,
    CMAKE_BUILD_TYPE: 'Release',
    CMAKE_CXX_COMPILER: `${TRIPLET}-g++-posix`,
    CMAKE_RC_COMPILER: `${TRIPLET}-windres`,
    CMAKE_JS_INC: `${at('node_modules/node-api-headers/include')};${at('node_modules/node-addon-api')}`,
    CMAKE_JS_LIB: library,
    CMAKE_JS_VERSION: 'none',
    CMAKE_SYSTEM_NAME: 'Windows',
    NODE_ARCH: 'x64',
    NODE_EXECUTABLE: process.execPath,
  }
  const flags = Object.entries(settings).map(([variable, value]) => `-D${variable}=${value}`)
  const generator = findProgram('ninja') ? ['-G', 'Ninja'] : []
  say('Cross-compiling the addon for Windows')
  run('cmake', ['-S', at(), '-B', `${folder}/cmake`, ...generator, ...flags, '--log-level=WARNING'])
  run('cmake', ['--build', `${folder}/cmake`, '--target', 'aiomqtt', '--parallel', '2'])
  return `${folder}/aiomqtt.node`
}

/** A Windows of the tests' own, in build/. */
export function wineEnvironment() {
  const prefix = at('build/wine')
  const environment = { WINEPREFIX: prefix, WINEDEBUG: '-all', WINEDLLOVERRIDES: 'mscoree,mshtml=' }
  if (!existsSync(`${prefix}/system.reg`)) {
    say('Making a Windows 10 for Wine')
    run('wine', ['winecfg', '-v', 'win10'], { env: { ...process.env, ...environment } })
  }
  return environment
}

/** The path of a Node for Windows. */
export function provideWindowsNode(major) {
  return provideNode(major, 'x64', 'win32')
}
