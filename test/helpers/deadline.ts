import type { ExecutionContext } from 'ava'

/** How many times as slow as usual this machine is: where another processor is emulated. */
const slowness = Number(process.env.AIOMQTT_TEST_SLOWNESS ?? 1)

/**
 * Lets a test take so many minutes without a sign of life, in the usual form and in that of `npm run faults`. The whole
 * run is as patient from then on, also with what hangs: the usual form asks for little.
 */
export function allowMinutes(t: ExecutionContext, usual: number, long = usual): void {
  t.timeout(60_000 * (process.env.AIOMQTT_FAULTS === 'long' ? long : usual))
}

/**
 * Awaits `promise`, but no longer than `milliseconds`: a test that waits for something which never comes must say
 * what that was instead of running into the suite's own time limit.
 */
export async function within<T>(milliseconds: number, what: string, promise: PromiseLike<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const expiry = new Promise<never>((_resolve, reject) => {
    const error = new Error(`${what} took longer than ${milliseconds} ms`)
    timer = setTimeout(() => reject(error), slowness * milliseconds)
  })
  try {
    return await Promise.race([promise, expiry])
  } finally {
    clearTimeout(timer)
  }
}

/**
 * Resolves when `condition` holds, for what nothing announces: it is looked at again and again, no longer than
 * `milliseconds`.
 */
export async function until(
  milliseconds: number,
  what: string,
  condition: () => boolean | Promise<boolean>,
): Promise<void> {
  const limit = performance.now() + slowness * milliseconds
  while (!(await condition())) {
    if (performance.now() > limit) throw new Error(`${what} took longer than ${milliseconds} ms`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}

/** The reason with which `promise` rejects; an error of its own if it resolves or takes longer than `milliseconds`. */
export async function rejection(
  milliseconds: number,
  what: string,
  promise: PromiseLike<unknown>,
): Promise<unknown> {
  const outcome = promise.then(
    () => ({ rejected: false, reason: undefined }),
    (reason: unknown) => ({ rejected: true, reason }),
  )
  const { rejected, reason } = await within(milliseconds, what, outcome)
  if (!rejected) throw new Error(`${what} resolved, although it must reject`)
  return reason
}
