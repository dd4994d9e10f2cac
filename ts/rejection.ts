import { type MqttError, startStackAt } from './errors.js'

/**
 * A promise that rejects with an error whose stack shows who waits for it.
 *
 * An error for a pending call is made long after the call, when none of the user's code is on the stack. Taking
 * down the stack at each call would cost more than the call: some microseconds, against well under one for a
 * publish. But the engine knows at any time which async function waits for a promise, so the stack is taken when
 * it is needed, as `at async` lines, by making the error two microtasks after this promise has become the
 * pending one's resolution.
 * @param make makes the error
 */
export async function rejection(make: () => MqttError): Promise<never> {
  await undefined
  await undefined
  throw startStackAt(make(), rejection)
}
