import { ProtocolVersion } from 'aiomqtt'

/** The three protocol versions, named as in test titles. */
export const protocols = [
  { name: 'MQTT 3.1', protocol: ProtocolVersion.V31 },
  { name: 'MQTT 3.1.1', protocol: ProtocolVersion.V311 },
  { name: 'MQTT 5', protocol: ProtocolVersion.V5 },
] as const
