// What a message means: the topic names the device, the payload is JSON with a number that counts its readings.

/**
 * @typedef {object} Reading
 * @property {string} device
 * @property {number} sequence unique for the device
 * @property {number} sent milliseconds since 1970
 * @property {number} temperature °C
 */

/** The greatest time that a Date can hold, in milliseconds. */
const latest = 8.64e15

/**
 * @param {import('aiomqtt').Message} message on …/<device>/readings
 * @returns {Reading | null} null if it is none: nothing that reaches the database can make it refuse the batch
 */
export function readingOf(message) {
  try {
    const { sequence, sent, temperature } = message.json()
    const isGood = Number.isSafeInteger(sequence) && Math.abs(sent) <= latest && Number.isFinite(temperature)
    return isGood ? { device: message.topic.value.split('/').at(-2), sequence, sent, temperature } : null
  } catch {
    return null
  }
}

/** A reading as a line of COPY's text format. */
export function lineOf({ device, sequence, sent, temperature }) {
  return `${escaped(device)}\t${sequence}\t${new Date(sent).toISOString()}\t${temperature}\n`
}

function escaped(text) {
  return /[\\\t\n\r]/.test(text)
    ? text.replace(
        /[\\\t\n\r]/g,
        (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
      )
    : text
}
