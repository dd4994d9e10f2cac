import type { Properties } from '../../mqtt/properties.js'

/** What a broker of MQTT 5 announced in CONNACK (3.2.2.3), a line each; what it did not say is MQTT's default. */
export function limitsOf(properties: Properties): string[] {
  const given = <T>(value: T | undefined, usual: string) => (value === undefined ? usual : String(value))
  const available = (value: number | undefined) => (value === 0 ? 'no' : 'yes')
  const lines: Array<[name: string, value: string]> = [
    ['receive maximum', given(properties.receiveMaximum, '65535 (not limited)')],
    ['maximum packet size', given(properties.maximumPacketSize, 'not limited')],
    ['topic alias maximum', given(properties.topicAliasMaximum, '0 (no aliases)')],
    ['maximum QoS', given(properties.maximumQoS, '2')],
    ['retained messages', available(properties.retainAvailable)],
    ['wildcard subscriptions', available(properties.wildcardSubscriptionAvailable)],
    ['shared subscriptions', available(properties.sharedSubscriptionAvailable)],
    ['subscription identifiers', available(properties.subscriptionIdentifierAvailable)],
    ['session expiry interval', given(properties.sessionExpiryInterval, 'as asked for')],
    ['server keep alive', given(properties.serverKeepAlive, "the client's")],
    ['assigned identifier', given(properties.assignedClientIdentifier, 'none')],
  ]
  if (properties.responseInformation !== undefined) {
    lines.push(['response information', properties.responseInformation])
  }
  return lines.map(([name, value]) => `${name}: ${value}`)
}
