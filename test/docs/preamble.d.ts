// What the code in the documentation takes for granted: a page that says `client.publish(…)` need not say each time where
// the client comes from.

import type * as aiomqtt from 'aiomqtt'

declare global {
  const Client: typeof aiomqtt.Client
  /** A client that is connected. */
  const client: aiomqtt.Client
  /** A message that has just come. */
  const message: aiomqtt.Message
  /** What a program does with messages. */
  function store(messages: aiomqtt.Message | aiomqtt.Message[]): Promise<void>
  /** A credential provider of the AWS SDK. */
  function credentials(): Promise<{
    accessKeyId: string
    secretAccessKey: string
    sessionToken?: string
  }>
  /** A library for SCRAM. */
  const scram: { first(): Uint8Array; answer(challenge: Uint8Array | null): Uint8Array }
}
