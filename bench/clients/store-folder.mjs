// Where the stores of a measured process lie: in a folder that goes with the process.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function storeFolder() {
  const folder = mkdtempSync(join(tmpdir(), 'aiomqtt-bench-store-'))
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
  return folder
}
