// How long it takes to connect: one after the other, or many at once.

import { performance } from 'node:perf_hooks'
import { closeAll, open } from './connections.mjs'

/** Connections made and ended before time is taken. */
const WARM_UP = 20

export async function run(client, parameters, size, ready) {
  const { together } = parameters
  const count = size.messages === undefined ? parameters.count : Math.min(parameters.count, size.messages)
  for (let i = 0; i < WARM_UP; i++) await closeAll([await open(client, parameters)])
  ready()
  const figures = together ? await atOnce(client, parameters, count) : await inTurn(client, parameters, count)
  return { figures, connected: count + WARM_UP }
}

async function inTurn(client, parameters, count) {
  let total = 0
  for (let i = 0; i < count; i++) {
    const started = performance.now()
    const connection = await open(client, parameters)
    total += performance.now() - started
    await connection.disconnect()
  }
  return { milliseconds: total / count }
}

async function atOnce(client, parameters, count) {
  const started = performance.now()
  const connections = await Promise.all(Array.from({ length: count }, () => open(client, parameters)))
  const milliseconds = performance.now() - started
  await closeAll(connections)
  return { milliseconds }
}
