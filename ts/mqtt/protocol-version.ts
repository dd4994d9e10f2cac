/** The versions of MQTT, by the protocol level that CONNECT carries. */
export const ProtocolVersion = Object.freeze({
  /** MQTT 3.1 (`MQIsdp`). */
  V31: 3,
  /** MQTT 3.1.1, the default. */
  V311: 4,
  /** MQTT 5. */
  V5: 5,
} as const)

/** One of the numbers in {@link ProtocolVersion}. */
export type ProtocolVersion = (typeof ProtocolVersion)[keyof typeof ProtocolVersion]
