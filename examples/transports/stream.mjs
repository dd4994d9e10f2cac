// Over any Duplex: here the standard input and output of a program, which could as well be ssh or socat.
//
//   node examples/transports/stream.mjs [hostname] [port]

import { spawn } from 'node:child_process'
import { Duplex } from 'node:stream'
import { Client } from 'aiomqtt'

const [hostname = 'localhost', port = '1883'] = process.argv.slice(2)

/** Passes on between its standard streams and the broker. */
const relay = `
  const socket = require('node:net').connect(${Number(port)}, ${JSON.stringify(hostname)})
  process.stdin.pipe(socket).pipe(process.stdout)`

const client = await Client.connect(hostname, Number(port), {
  // Called for each connection.
  transport() {
    const { stdin, stdout } = spawn(process.execPath, ['--eval', relay], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    return Duplex.from({ writable: stdin, readable: stdout })
  },
})
await client.publish('greetings', 'over a stream', { qos: 1 })
await client.disconnect()
console.log('Published over a stream')
