import { aliasRefusal } from '../calls/broker-limits.js'
import { COMMAND_SUBSCRIBE } from '../engine/binding.js'
import { MqttError } from '../mqtt/errors.js'
import type { FilterCall } from './filter-call.js'
import type { Content, KeptPublish } from './kept-publish.js'
import type { SessionConnection } from './session-connection.js'

/** Makes an error, on the stack of who waits for it. */
export type MakeError = () => MqttError

/** What a connection has against a publish that was not meant for it; null if nothing. */
export function publishRefusal(
  publish: KeptPublish,
  { number, limits }: SessionConnection,
): MakeError | null {
  if (limits === null || publish.checkedFor === number) return null
  const content = publish.content as Content
  if (content.topic === '') return aliasRefusal
  publish.checkedFor = number
  return thrownBy(() => limits.checkKept(publish.qos, content, publish.size))
}

/** The same for SUBSCRIBE and UNSUBSCRIBE. */
export function filtersRefusal(filters: FilterCall, { number, limits }: SessionConnection): MakeError | null {
  if (limits === null || filters.checkedFor === number) return null
  filters.checkedFor = number
  const { kind, call } = filters
  return thrownBy(() => {
    if (kind === COMMAND_SUBSCRIBE) limits.checkSubscribe(call)
    else limits.checkFiltersSize(call, 0)
  })
}

/** Of a publish of QoS 2, whose session the broker has lost. */
export function unknownOutcome(): MqttError {
  return new MqttError(
    'The broker has lost the session between PUBREC and PUBCOMP: whether it has passed the message on is unknown',
  )
}

function thrownBy(check: () => void): MakeError | null {
  try {
    check()
    return null
  } catch (error) {
    return () => error as MqttError
  }
}
