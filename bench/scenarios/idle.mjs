// What connections cost that do nothing but keep alive.

import { performance } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { closeAll, openMany } from './connections.mjs'

const MIB = 2 ** 20

export async function run(client, parameters, size, ready) {
  const count =
    size.messages === undefined ? parameters.connections : Math.min(parameters.connections, size.messages)
  const before = memory()
  const connections = await openMany(client, count, parameters)
  ready()
  await sleep((size.warmUp ?? 0) * 1e3)
  const started = { time: performance.now(), ...process.cpuUsage() }
  await sleep((size.seconds ?? 0) * 1e3 * parameters.stretch)
  const { user, system } = process.cpuUsage(started)
  const seconds = (performance.now() - started.time) / 1e3
  const after = memory()
  if (size.messages !== undefined) await closeAll(connections)
  return {
    figures: {
      memoryMiB: after / MIB,
      memoryKiBPerConnection: (after - before) / 1024 / count,
      processorMillisecondsPerSecond: (user + system) / 1e3 / seconds,
    },
    connected: count,
  }
}

/** Resident memory of the process without its garbage, in bytes. */
function memory() {
  globalThis.gc()
  globalThis.gc()
  return process.memoryUsage.rss()
}
