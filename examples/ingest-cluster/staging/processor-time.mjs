// Which program used the processor how much. Linux alone tells.

import { existsSync, readFileSync } from 'node:fs'

/** The processor time that processes have used, with that of their children that have ended; in clock ticks. */
export function processorTime(pids) {
  return pids.reduce((sum, pid) => sum + ticksOf(pid), 0)
}

/** What Linux counts processor time in, on all its platforms that Node has. */
export const ticksPerSecond = 100

/** Whether there is anything to know. */
export const hasProcessorTime = existsSync('/proc/self/stat')

function ticksOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    // proc(5): utime, stime, cutime, cstime are fields 14 to 17; the second one, in parentheses, may hold spaces.
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return fields.slice(11, 15).reduce((sum, digits) => sum + Number(digits), 0)
  } catch {
    return 0
  }
}
