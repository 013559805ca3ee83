// The journal keeps what came from the relay, and forgets the oldest: a page
// left open for a day beside a busy relay must not eat the browser's memory.

import { matches } from "./frames.js";

const maxRecords = 2000;
const maxChars = 16 << 20;

// A queue of records that holds the newest ones within both limits.
class Tail {
  records = [];
  dropped = 0;
  #chars = 0;

  push(record) {
    this.records.push(record);
    this.#chars += record.raw.length;
    // Cutting now and then, instead of at each push, keeps a burst linear.
    if (this.records.length >= 2 * maxRecords || this.#chars > 2 * maxChars) this.trim();
  }

  trim() {
    let excess = Math.max(0, this.records.length - maxRecords);
    for (let i = 0; i < excess; i++) this.#chars -= this.records[i].raw.length;
    while (this.#chars > maxChars && excess < this.records.length - 1) this.#chars -= this.records[excess++].raw.length;
    if (excess === 0) return;
    this.dropped += this.records.slice(0, excess).filter((record) => record.kind === "event").length;
    this.records = this.records.slice(excess);
  }
}

// A record is what frames.js makes of a frame, with n, which counts up, and
// at, the page's clock in ms.
export class Journal {
  received = 0; // events since the page was cleared
  paused = false;

  #kept = new Tail();
  #held = new Tail(); // what came while paused
  #next = 1;
  #filter = "";
  #frames = true;

  add(record) {
    record.n = this.#next++;
    record.at = Date.now();
    if (record.kind === "event") this.received++;
    (this.paused ? this.#held : this.#kept).push(record);
  }

  pause() {
    this.paused = true;
  }

  resume() {
    this.paused = false;
    for (const record of this.#held.records) this.#kept.push(record);
    this.#kept.dropped += this.#held.dropped;
    this.#held = new Tail();
  }

  clear() {
    this.#kept = new Tail();
    this.#held = new Tail();
    this.received = 0;
  }

  show({ filter = this.#filter, frames = this.#frames }) {
    this.#filter = filter.trim().toLowerCase();
    this.#frames = frames;
  }

  // view returns the records to show, the oldest first, and what is not among them.
  view() {
    this.#kept.trim();
    this.#held.trim();
    const records = this.#kept.records.filter((record) => this.#matches(record));
    return {
      records,
      received: this.received,
      shown: records.reduce((sum, record) => sum + (record.kind === "event"), 0),
      dropped: this.#kept.dropped + this.#held.dropped,
      waiting: this.#held.records.length + this.#held.dropped,
      filtered: this.#filter !== "",
    };
  }

  #matches(record) {
    if (record.kind !== "event" && !this.#frames) return false;
    return this.#filter === "" || matches(record, this.#filter);
  }
}
