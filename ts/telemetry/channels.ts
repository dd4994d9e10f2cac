import { channel } from 'node:diagnostics_channel'

// What their subscribers get is described in diagnostics.ts.

export const stateChannel = channel('aiomqtt:state')
export const publishChannel = channel('aiomqtt:publish')
export const messageChannel = channel('aiomqtt:message')
export const dropChannel = channel('aiomqtt:drop')
