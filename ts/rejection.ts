import { type Callable, type MqttError, startStackAt } from './errors.js'

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
export async function rejection(make: () => MqttError): Promise<never> {
  await undefined
  await undefined
  throw startStackAt(make(), rejection)
}

/** What was thrown while `entry` was running, to reject or throw with: its stack starts at the line that called it. */
export function fromCaller(error: unknown, entry: Callable): unknown {
  return error instanceof Error ? startStackAt(error, entry) : error
}
