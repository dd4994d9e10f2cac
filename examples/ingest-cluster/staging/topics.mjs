// Where the devices publish: fleet-<run>/<partition>/<device>/readings. The partition, one of a fixed number, lets
// processes divide the devices among themselves where the broker cannot do it.

/** As many processes as can have a part of the topics of their own. */
export const partitions = 16

/** @param {string} run keeps the runs on one broker apart */
export function topicsOf(run, devices) {
  return Array.from({ length: devices }, (_, index) => {
    const name = `device-${String(index + 1).padStart(5, '0')}`
    return { name, topic: `fleet-${run}/${index % partitions}/${name}/readings` }
  })
}

/** What a process of a service subscribes to. */
export function filtersOf(run, share, index, processes) {
  if (share === 'group') return [`$share/ingest-${run}/fleet-${run}/+/+/readings`]
  const own = Array.from({ length: partitions }, (_, partition) => partition).filter(
    (partition) => partition % processes === index,
  )
  return own.map((partition) => `fleet-${run}/${partition}/+/readings`)
}
