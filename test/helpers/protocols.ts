import { ProtocolVersion } from 'aiomqtt'
import { isDirect } from './ways.js'

/**
 * The three protocol versions, named as in test titles. Over another way than TCP the newest alone: to the way they are
 * all the same.
 */
export const protocols = (
  [
    { name: 'MQTT 3.1', protocol: ProtocolVersion.V31 },
    { name: 'MQTT 3.1.1', protocol: ProtocolVersion.V311 },
    { name: 'MQTT 5', protocol: ProtocolVersion.V5 },
  ] as const
).filter(({ protocol }) => isDirect || protocol === ProtocolVersion.V5)
