/**
 * A store in a file: `import { DurableStore } from 'aiomqtt/store'`.
 *
 * @module aiomqtt/store
 */

export { DurableStore, type DurableStoreOptions } from './durable-store.js'
export type { Store, StoreChange, StoreRecord } from './store.js'
