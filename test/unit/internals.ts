/**
 * What unit tests look at below the public API. The package exports none of it, and the compiled tests lie one
 * folder deeper than their sources: hence the path that is made at run time.
 */
export async function internal<Module>(name: string): Promise<Module> {
  return (await import(new URL(`../../../dist/${name}.js`, import.meta.url).href)) as Module
}

export const { checkPublish } =
  await internal<typeof import('../../dist/calls/publish-arguments.js')>('calls/publish-arguments')
export const { checkSubscribe, checkUnsubscribe } =
  await internal<typeof import('../../dist/calls/subscribe-arguments.js')>('calls/subscribe-arguments')
export const { ClientSettings } =
  await internal<typeof import('../../dist/options/client-settings.js')>('options/client-settings')
export const { FilterTree } =
  await internal<typeof import('../../dist/mqtt/filter-tree.js')>('mqtt/filter-tree')
export const { payloadBytes, payloadSource } =
  await internal<typeof import('../../dist/mqtt/payload.js')>('mqtt/payload')
export const { receivedTopic } = await internal<typeof import('../../dist/mqtt/topic.js')>('mqtt/topic')
export const { connackReasonCode, receivedReasonCode } =
  await internal<typeof import('../../dist/mqtt/reason-code.js')>('mqtt/reason-code')
export const { CallSite, startStackAt } =
  await internal<typeof import('../../dist/support/call-site.js')>('support/call-site')
export const { createQueue } =
  await internal<typeof import('../../dist/messages/queues.js')>('messages/queues')
export const { subscribeOptionsByte } =
  await internal<typeof import('../../dist/mqtt/subscribe-options.js')>('mqtt/subscribe-options')
export const { environmentProxy } = await internal<
  typeof import('../../dist/transports/proxy-environment.js')
>('transports/proxy-environment')
export const { loadOptional } = await internal<typeof import('../../dist/transports/optional-package.js')>(
  'transports/optional-package',
)
export const { crc32c, masked } = await internal<typeof import('../../dist/store/crc32c.js')>('store/crc32c')
export const { RecordIndex } =
  await internal<typeof import('../../dist/store/record-index.js')>('store/record-index')
export const { SegmentedLog } =
  await internal<typeof import('../../dist/store/segmented-log.js')>('store/segmented-log')
export const { NodeFiles } = await internal<typeof import('../../dist/store/files.js')>('store/files')
export const { LogEncoder } =
  await internal<typeof import('../../dist/store/log-format.js')>('store/log-format')
export const { decodePublish, encodePublish } =
  await internal<typeof import('../../dist/store/message-record.js')>('store/message-record')
export const { runtime } = await internal<typeof import('../../dist/engine/runtime.js')>('engine/runtime')
export const { Backoff } =
  await internal<typeof import('../../dist/reconnect/backoff.js')>('reconnect/backoff')
export const { HostList, parseServerReference } =
  await internal<typeof import('../../dist/reconnect/hosts.js')>('reconnect/hosts')
export const { Failure, connectionLost } =
  await internal<typeof import('../../dist/failures/failure.js')>('failures/failure')
export const { disconnection, refusal } =
  await internal<typeof import('../../dist/failures/broker-failure.js')>('failures/broker-failure')
export const { nativeTlsFailure, nodeTlsFailure, notPemFailure } =
  await internal<typeof import('../../dist/failures/tls-failure.js')>('failures/tls-failure')
export const { thrownFailure } =
  await internal<typeof import('../../dist/failures/system-failure.js')>('failures/system-failure')
export const { StateLog, StatesIterator } =
  await internal<typeof import('../../dist/telemetry/client-states.js')>('telemetry/client-states')
export const { PacketIdentifiers } = await internal<
  typeof import('../../dist/session/packet-identifiers.js')
>('session/packet-identifiers')
