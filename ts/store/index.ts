export { DurableStore, type DurableStoreOptions } from './durable-store.js'
export type { Store, StoreChange, StoreRecord } from './store.js'
