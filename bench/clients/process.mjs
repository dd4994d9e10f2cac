// A client's process: runs one scenario with one client, once, and tells its parent what came out.

const adapters = {
  aiomqtt: () => import('./aiomqtt.mjs'),
  mqtt: () => import('./mqtt-js.mjs'),
  'aws-crt': () => import('./aws-crt.mjs'),
  raw: () => import('./raw.mjs'),
}

process.once('message', async ({ client, program, parameters, size }) => {
  try {
    const ready = () => process.send({ type: 'ready' })
    const adapter = await adapters[client]()
    const { run } = client === 'raw' ? adapter : await import(`../scenarios/${program}.mjs`)
    const result = await run(client === 'raw' ? program : adapter, parameters, size, ready)
    const { user, system } = process.cpuUsage()
    await new Promise((resolve) =>
      process.send({ type: 'result', ...result, processor: user + system }, resolve),
    )
    // A measured process may still be flooded. In a check aiomqtt's has to end by itself, after it has disconnected.
    if (size.messages === undefined || client !== 'aiomqtt') process.exit()
    process.disconnect()
  } catch (error) {
    process.send({ type: 'failure', message: error?.stack ?? String(error) }, () => process.exit(1))
  }
})
