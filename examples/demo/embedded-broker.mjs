// A thread: aedes, a broker in JavaScript, on a free port of the loopback interface. Posts that port.

import { once } from 'node:events'
import { createServer } from 'node:net'
import { parentPort } from 'node:worker_threads'
import { Aedes } from 'aedes'

/**
 * Called by aedes for every message that it is about to deliver. aedes writes each packet to the socket by itself,
 * and the system call is half of what it does; corking the socket until the deliveries of this turn of the event
 * loop are done puts them into one.
 */
function authorizeForward({ conn }, packet) {
  if (conn.writableCorked === 0) {
    conn.cork()
    // aedes delivers in a setImmediate of its own, the next turn.
    setImmediate(() => setImmediate(() => conn.uncork()))
  }
  return packet
}

const aedes = await Aedes.createBroker({ authorizeForward })
const server = createServer({ noDelay: true, highWaterMark: 1 << 20 }, aedes.handle)
server.listen(0, '127.0.0.1')
await once(server, 'listening')
parentPort.postMessage(server.address().port)
