// One process of the service, with one or more threads; each has a client and a database connection of its own.
//
//   node process.mjs --broker localhost:1883 --identifier ingest-1 --filter '$share/ingest/fleet/+/+/readings'
//
// The database is the one that PGHOST, PGUSER and so on name; schema.sql makes its tables. SIGTERM finishes the batch that
// is under way, and ends. Started by fork(), it tells its parent about each batch, and ends with it.

import { parseArgs } from 'node:util'
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads'
import { ingest } from './service.mjs'

const options = {
  /** host:port; several of a cluster. */
  broker: { type: 'string', multiple: true, default: ['localhost:1883'] },
  /** The same after each restart. */
  identifier: { type: 'string', default: 'ingest' },
  /** What to subscribe to; the threads divide several among themselves. */
  filter: { type: 'string', multiple: true, default: ['$share/ingest/fleet/+/+/readings'] },
  protocol: { type: 'string', default: '5' },
  /** At least two batches. Mosquitto 2.0.11 does not keep to it, and is disconnected from then. */
  'receive-maximum': { type: 'string', default: '65535' },
  workers: { type: 'string', default: '1' },
  size: { type: 'string', default: '1000' },
  age: { type: 'string', default: '20' },
}

if (isMainThread) runThreads(parseArgs({ options }).values)
else await runThread()

function runThreads(values) {
  const workers = Array.from({ length: Number(values.workers) }, (_, index) => {
    const isDivided = values.filter.length > 1
    return new Worker(new URL(import.meta.url), {
      workerData: {
        brokers: values.broker.map(hostAndPort),
        identifier: `${values.identifier}-${index + 1}`,
        filters: values.filter.filter((_, at) => !isDivided || at % Number(values.workers) === index),
        protocol: Number(values.protocol),
        receiveMaximum: Number(values['receive-maximum']),
        size: Number(values.size),
        age: Number(values.age),
      },
    })
  })
  const stop = () => {
    for (const worker of workers) worker.postMessage('stop')
  }
  for (const worker of workers) {
    worker.on('message', (report) => process.connected && process.send(report))
    worker.on('error', (error) => {
      console.error(`${values.identifier}: ${error.message}`)
      process.exitCode = 1
      stop()
    })
  }
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, stop)
  process.on('disconnect', stop)
  Promise.all(workers.map((worker) => new Promise((resolve) => worker.on('exit', resolve)))).then(() => {
    if (process.connected) process.disconnect()
  })
}

async function runThread() {
  const ending = new AbortController()
  parentPort.once('message', () => ending.abort())
  await ingest(workerData, ending.signal, {
    onReady: () => parentPort.postMessage({ ready: workerData.identifier }),
    onCommit: (commit) => parentPort.postMessage({ commit }),
    log: (line) => console.error(`${workerData.identifier}: ${line}`),
  })
  parentPort.close()
}

function hostAndPort(text) {
  const [, host, port] = /^(.*):(\d+)$/.exec(text) ?? [null, text, 1883]
  return [host, Number(port)]
}
