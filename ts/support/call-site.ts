/** A function or a class, as the place below which a stack is of no interest. */
export type Callable = ((...args: never[]) => unknown) | (abstract new (...args: never[]) => unknown)

/**
 * Makes the stack of an error start at the line that called `entry`, so that it shows the user's code
 * first. To be called while `entry` is still running; from a later turn use a {@link CallSite}.
 */
export function startStackAt<E extends Error>(error: E, entry: Callable): E {
  Error.captureStackTrace(error, entry)
  return error
}

/**
 * Where a call came from, kept for an error that is made in a later turn of the event loop. Taking one
 * costs a microsecond or two; the text is made only when an error asks for it.
 */
export class CallSite {
  readonly #holder: { stack?: string } = {}

  /** @param entry the public method whose caller is of interest; it must be running */
  constructor(entry: Callable) {
    Error.captureStackTrace(this.#holder, entry)
  }

  /** Gives an error the stack of this call. */
  attach<E extends Error>(error: E): E {
    const stack = this.#holder.stack ?? ''
    const frames = stack.indexOf('\n')
    error.stack = `${error.name}: ${error.message}${frames < 0 ? '' : stack.slice(frames)}`
    return error
  }
}

// An error for a pending call is made long after the call, when none of the user's code is on the stack. Taking
// the stack down at each call would cost several times what a publish costs: some microseconds, against well under
// one. So it is taken down for a bounded number of calls a second (Runtime.callSite()), which is all of them unless
// someone is in a hurry, and for the rest the engine is asked who waits.

/**
 * A promise that rejects with an error whose stack shows who waits for it.
 *
 * The engine knows at any time which async functions wait for a promise, and shows them as `at async` in the stack
 * of an error that is made while they are about to go on. That is the case two microtasks after this promise has
 * become the resolution of the one that they wait for.
 * @param make makes the error
 */
export async function rejection(make: () => Error): Promise<never> {
  await undefined
  await undefined
  throw startStackAt(make(), rejection)
}

/** What was thrown while `entry` was running, to reject or throw with: its stack starts at the line that called it. */
export function fromCaller(error: unknown, entry: Callable): unknown {
  return error instanceof Error ? startStackAt(error, entry) : error
}
