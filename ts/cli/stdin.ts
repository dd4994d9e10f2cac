import { addAbortSignal } from 'node:stream'

const NEWLINE = 0x0a

/** Standard input as the system gives it: bytes, in blocks. */
function input(signal: AbortSignal): AsyncIterable<Buffer> {
  return addAbortSignal(signal, process.stdin)
}

/** All of standard input. */
export async function wholeInput(signal: AbortSignal): Promise<Buffer> {
  const blocks: Buffer[] = []
  for await (const block of input(signal)) blocks.push(block)
  return Buffer.concat(blocks)
}

/**
 * The lines of standard input without their ends, as many at a time as came in one block. The last one need not end; a
 * carriage return belongs to its line, as for mosquitto_pub. The next block is read when the caller wants it.
 */
export async function* lines(signal: AbortSignal): AsyncGenerator<Buffer[], void, undefined> {
  let beginning: Buffer[] = []
  for await (const block of input(signal)) {
    const found: Buffer[] = []
    let start = 0
    for (let end = block.indexOf(NEWLINE); end >= 0; end = block.indexOf(NEWLINE, start)) {
      const line = block.subarray(start, end)
      found.push(beginning.length === 0 ? line : Buffer.concat([...beginning, line]))
      beginning = []
      start = end + 1
    }
    if (start < block.length) beginning.push(block.subarray(start))
    if (found.length > 0) yield found
  }
  if (beginning.length > 0) yield [Buffer.concat(beginning)]
}
