import { Client } from 'aiomqtt'
import type { ExecutionContext, TestFn } from 'ava'
import type { Mosquitto } from '../helpers/mosquitto.js'
import { inProcess, inThread, type Program } from '../helpers/program.js'

/** How a program ends that has said `ready`: itself, or by whoever started it. */
export type End = 'exit' | 'exception' | 'terminate'

/**
 * Ends a program in a process and in a worker thread, in every way. It exits with 7, or throws `of the program`.
 * @param state what the program is doing then
 * @param parametersOf what the program is given
 * @param rounds how often a thread is started and terminated
 */
export function testEveryEnding<Context extends { broker: Mosquitto }, Parameters>(
  test: TestFn<Context>,
  state: string,
  program: Program<Parameters>,
  parametersOf: (t: ExecutionContext<Context>, end: End) => Parameters,
  rounds = 10,
): void {
  test.serial(`process.exit() ends a process that is ${state}`, async (t) => {
    const { code, signal, errors, milliseconds } = await inProcess(program, parametersOf(t, 'exit')).outcome
    t.is(signal, null)
    t.is(code, 7)
    t.is(errors, '')
    t.true(milliseconds < 5_000, `it took ${milliseconds} ms`)
  })

  test.serial(`an uncaught exception ends a process that is ${state}`, async (t) => {
    const running = inProcess(program, parametersOf(t, 'exception'))
    const { code, signal, errors, milliseconds } = await running.outcome
    t.is(signal, null)
    t.is(code, 1)
    t.true(errors.includes('Error: of the program'), errors)
    t.true(milliseconds < 5_000, `it took ${milliseconds} ms`)
  })

  test.serial(`process.exit() ends a worker thread that is ${state}`, async (t) => {
    const { code, error } = await inThread(program, parametersOf(t, 'exit')).outcome
    t.is(error, undefined)
    t.is(code, 7)
  })

  test.serial(`an uncaught exception ends a worker thread that is ${state}`, async (t) => {
    const { code, error } = await inThread(program, parametersOf(t, 'exception')).outcome
    t.is(code, 1)
    t.is(error?.message, 'of the program')
  })

  test.serial(`a worker thread that is ${state} can be terminated, ${rounds} times`, async (t) => {
    for (let round = 0; round < rounds; round++) {
      const thread = inThread(program, parametersOf(t, 'terminate'))
      await thread.said('ready')
      await thread.terminate()
      t.is((await thread.outcome).error, undefined)
    }
    const { broker } = t.context
    const client = await Client.connect(broker.host, broker.port)
    await client.publish('a', 'still here', { qos: 1 })
    await client.disconnect()
  })
}
