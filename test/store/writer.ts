// Stores records of a kilobyte until some are refused three times, and says what was.
//
//   node writer.js <directory>

import { DurableStore } from 'aiomqtt/store'

const [directory = ''] = process.argv.slice(2)
// A file's permissions say nothing to the superuser.
if (process.env.UNPRIVILEGED !== undefined && process.getuid?.() === 0) process.setuid?.(65534)

const store = new DurableStore(directory)
let refused = 0
for (let number = 0; refused < 3 && number < 2000; number++) {
  try {
    const key = `key-${String(number).padStart(6, '0')}`
    await store.batch([[key, Buffer.alloc(1000, `${number} `)]])
    console.log(`stored ${number}`)
  } catch (error) {
    refused++
    console.log(`refused ${number} ${(error as NodeJS.ErrnoException).code}`)
    if (process.env.UNPRIVILEGED !== undefined) break
  }
}
await store.close()
