// What is going on: one line that changes on a terminal, a line a step when piped.

export class Progress {
  #total
  #done = 0
  #isTerminal = process.stdout.isTTY === true

  constructor(total) {
    this.#total = total
  }

  step(what) {
    this.#done += 1
    const line = `[${this.#done}/${this.#total}] ${what}`
    if (this.#isTerminal) process.stdout.write(`\r\x1b[K${line}`)
    else console.log(line)
  }

  /** Something that has to stay visible. */
  note(line) {
    this.clear()
    console.log(line)
  }

  clear() {
    if (this.#isTerminal) process.stdout.write('\r\x1b[K')
  }
}
