/**
 * Whether another attempt can help: `'later'` with the same broker, `'elsewhere'` with another one only, `'never'` with
 * none.
 */
export type Retry = 'later' | 'elsewhere' | 'never'

/** The same of the options for TLS: whether a later attempt can have others, and other contents of files. */
export interface TlsRetry {
  readonly options: Retry
  readonly contents: Retry
}

/**
 * All that is final. Whatever is not here may pass by itself (a database that is not up yet, a certificate that is not
 * valid yet, a file that is being replaced, descriptors that are used up), and is tried again, unless the option
 * `retry` of `reconnect` decides otherwise. `docs/sessions.md` has the same table for users.
 */
export const FINAL = {
  /**
   * Reason codes of CONNACK: what the broker does not take of CONNECT, and will not take the next time. Another broker
   * may. (The codes of MQTT 3.x are translated to these.)
   */
  connack: new Map<number, Retry>([
    [0x81, 'elsewhere'], // Malformed packet
    [0x82, 'elsewhere'], // Protocol error
    [0x84, 'elsewhere'], // Unsupported protocol version
    [0x85, 'elsewhere'], // Client identifier not valid
    [0x8c, 'elsewhere'], // Bad authentication method
    [0x90, 'elsewhere'], // Topic name invalid (the will's)
    [0x95, 'elsewhere'], // Packet too large
    [0x99, 'elsewhere'], // Payload format invalid (the will's)
    [0x9a, 'elsewhere'], // Retain not supported (the will's)
    [0x9b, 'elsewhere'], // QoS not supported (the will's)
  ]),
  /** Reason codes of DISCONNECT. */
  disconnect: new Map<number, Retry>([
    [0x8c, 'elsewhere'], // Bad authentication method
    // Session taken over: somebody else has connected with our client identifier. Coming back would throw them out,
    // who would come back in turn, for ever.
    [0x8e, 'never'],
  ]),
  /**
   * Options for TLS, as the native side calls them, that name what OpenSSL must know. They are the same for every
   * connection, unless `tlsContext` is a function; what may come from files is not among them.
   */
  tlsOptions: new Set(['ciphers', 'cipherSuites', 'groups', 'signatureAlgorithms', 'version', 'alpn']),
  /** Node's codes for options that leave nothing to offer in the handshake. */
  tlsCodes: new Set(['ERR_SSL_NO_PROTOCOLS_AVAILABLE', 'ERR_SSL_NO_CIPHERS_AVAILABLE']),
} as const
