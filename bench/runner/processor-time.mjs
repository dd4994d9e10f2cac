// Who used the machine's processors: a measurement that other programs disturbed is worth little.

import { readFileSync } from 'node:fs'
import { cpus } from 'node:os'

/** Microseconds in one of the ticks that the kernel counts for a process (USER_HZ, 100 on every Linux). */
const TICK = 10_000

/** Where the two times stand in /proc/PID/stat, counted from behind the program's name. */
const USER_TIME = 11
const SYSTEM_TIME = 12

/** Processor time of the whole machine so far, and what there was of it, in microseconds. */
export function machineTimes() {
  const times = cpus().map((processor) => processor.times)
  const sum = (...names) =>
    times.reduce((total, one) => total + names.reduce((part, name) => part + one[name], 0), 0)
  return {
    busy: sum('user', 'nice', 'sys') * 1e3,
    available: sum('user', 'nice', 'sys', 'idle', 'irq') * 1e3,
  }
}

/** Processor time of this process so far, in microseconds. */
export function ownTime() {
  const { user, system } = process.cpuUsage()
  return user + system
}

/** Processor time of a process that is running, in microseconds; null where the system has no such file. */
export function timeOf(pid) {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) * TICK
  } catch {
    return null
  }
}
