// What a figure is worth depends on these.

import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { arch, cpus, platform, release, totalmem } from 'node:os'
import { at } from '../../scripts/steps.mjs'
import { clientVersion } from './install.mjs'

export function machine() {
  const processors = cpus()
  return {
    processor: processors[0]?.model ?? 'unknown',
    cores: processors.length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${platform()} ${release()} ${arch()}`,
  }
}

export function versions() {
  const manifest = JSON.parse(readFileSync(at('package.json'), 'utf8'))
  const { pahoVersion } = createRequire(import.meta.url)(at('build/Release/aiomqtt.node'))
  return {
    node: process.versions.node,
    aiomqtt: manifest.version,
    commit: commit(),
    paho: pahoVersion,
    mqtt: clientVersion('mqtt'),
    'aws-crt': clientVersion('aws-crt'),
  }
}

/** The commit that is checked out, marked when files differ from it; null outside a clone. */
function commit() {
  const options = { cwd: at('.'), encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }
  try {
    return execFileSync('git', ['describe', '--always', '--dirty', '--exclude=*'], options).trim()
  } catch {
    return null
  }
}
