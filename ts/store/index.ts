/**
 * A store in files: `import { DurableStore } from 'aiomqtt/store'`.
 *
 * @module aiomqtt/store
 */

export { DurableStore, type DurableStoreOptions, type DurableStoreStats } from './durable-store.js'
export type { StoreLoss } from './recovery.js'
export { dropSetAside, type SetAsideMessage, setAsideMessages } from './set-aside.js'
export type { Store, StoreChange, StoreRecord } from './store.js'
