// The list of events. However much the journal holds, only the rows in sight
// are in the document, and they are drawn once for each picture of the screen.

import { dataOf } from "./frames.js";

const overscan = 6;
const maxRows = 200;
const previewChars = 400;

const two = (n) => String(n).padStart(2, "0");

function clock(at) {
  const d = new Date(at);
  return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}.${String(d.getMilliseconds()).padStart(3, "0")}`;
}

// offset is an event's number in its channel, the middle part of its position.
function offset(record) {
  if (record.kind !== "event") return "";
  return record.id ? "#" + (record.id.split("-")[1] ?? "") : "live";
}

export class Stream {
  newestFirst = true;

  #list;
  #sizer;
  #fresh;
  #hue;
  #onopen;
  #records = [];
  #rows = [];
  #rowHeight = 0;
  #height = 0;
  #top = 0; // the list's scrollTop, kept here because reading it costs a layout
  #pinned = true; // at the edge where new records come in
  #seen = 0; // the newest record that was there while pinned
  #active = 0; // the chosen record's number

  // hue(channel) is its colour; onopen(record or null, moved) says that the
  // chosen record is to be shown, or merely that another one was chosen.
  constructor({ list, sizer, fresh, hue, onopen }) {
    this.#list = list;
    this.#sizer = sizer;
    this.#fresh = fresh;
    this.#hue = hue;
    this.#onopen = onopen;
    list.addEventListener("scroll", () => this.#scrolled(), { passive: true });
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("click", (event) => this.#click(event));
    fresh.addEventListener("click", () => this.pin());
    new ResizeObserver(() => this.#measure()).observe(list);
    this.#measure();
  }

  // render shows these records, given the oldest first.
  render(records) {
    const anchor = this.#pinned ? null : this.#anchor();
    this.#records = records;
    this.#sizer.style.height = `${records.length * this.#rowHeight}px`;
    if (this.#pinned) {
      this.#seen = records.at(-1)?.n ?? this.#seen;
      this.#scrollTo(this.newestFirst ? 0 : records.length * this.#rowHeight - this.#height);
    } else if (anchor) {
      this.#scrollTo(this.#place(anchor.n) * this.#rowHeight + anchor.shift);
    }
    this.#draw();
  }

  // pin goes to the newest record and stays with the newest.
  pin() {
    this.#pinned = true;
    this.render(this.#records);
  }

  flip() {
    this.newestFirst = !this.newestFirst;
    this.pin();
  }

  focus() {
    this.#list.focus();
  }

  // choose(0) chooses nothing.
  choose(n) {
    this.#active = n;
    this.#draw();
  }

  #measure() {
    this.#height = this.#list.clientHeight;
    this.#rowHeight = parseFloat(getComputedStyle(this.#list).getPropertyValue("--row"));
    for (const row of this.#rows) row.place = -1; // rows of another height stand elsewhere
    this.render(this.#records);
  }

  #at(place) {
    return this.#records[this.newestFirst ? this.#records.length - 1 - place : place];
  }

  // #place is where the record n stands in the list, or where it would.
  #place(n) {
    let low = 0;
    let high = this.#records.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#records[middle].n < n) low = middle + 1;
      else high = middle;
    }
    return this.newestFirst ? Math.max(0, this.#records.length - 1 - low) : low;
  }

  // #anchor is the record at the upper edge, which must not move while
  // somebody reads and new records come in.
  #anchor() {
    const place = Math.floor(this.#top / this.#rowHeight);
    const record = this.#at(place);
    return record && { n: record.n, shift: this.#top - place * this.#rowHeight };
  }

  #scrollTo(top) {
    top = Math.max(0, top);
    if (top === this.#top) return;
    this.#top = top;
    this.#list.scrollTop = top;
  }

  #scrolled() {
    this.#top = this.#list.scrollTop;
    this.#settle();
    this.#draw();
  }

  // #settle decides whether the list goes on following the newest record.
  #settle() {
    const end = this.#records.length * this.#rowHeight - this.#height;
    this.#pinned = this.newestFirst ? this.#top < 4 : this.#top > end - 4;
    if (this.#pinned) this.#seen = this.#records.at(-1)?.n ?? this.#seen;
  }

  #draw() {
    const first = Math.max(0, Math.floor(this.#top / this.#rowHeight) - overscan);
    const wanted = Math.ceil(this.#height / this.#rowHeight) + 2 * overscan;
    const count = Math.max(0, Math.min(wanted, maxRows, this.#records.length - first));
    while (this.#rows.length < count) this.#rows.push(this.#addRow());
    while (this.#rows.length > count) this.#rows.pop().element.remove();
    let active = "";
    for (let i = 0; i < count; i++) {
      const record = this.#at(first + i);
      this.#fill(this.#rows[i], record, first + i);
      if (record.n === this.#active) active = this.#rows[i].element.id;
    }
    if (active) this.#list.setAttribute("aria-activedescendant", active);
    else this.#list.removeAttribute("aria-activedescendant");
    this.#drawFresh();
  }

  #drawFresh() {
    const place = this.#pinned ? 0 : this.#records.findLastIndex((record) => record.n <= this.#seen) + 1;
    const count = this.#pinned ? 0 : this.#records.length - place;
    this.#fresh.hidden = count === 0;
    if (count) this.#fresh.textContent = `${this.newestFirst ? "↑" : "↓"} ${count.toLocaleString("en")} new`;
  }

  #addRow() {
    const element = document.createElement("div");
    element.className = "row";
    element.id = `row-${this.#rows.length}`;
    element.setAttribute("role", "option");
    const cells = ["time", "channel", "name", "preview", "offset"].map((name) => {
      const cell = document.createElement("span");
      cell.className = name;
      element.append(cell);
      return cell;
    });
    this.#sizer.append(element);
    return { element, cells, record: null, place: -1 };
  }

  #fill(row, record, place) {
    const { element, cells } = row;
    if (row.place !== place) {
      row.place = place;
      element.style.transform = `translateY(${place * this.#rowHeight}px)`;
      element.setAttribute("aria-posinset", place + 1);
    }
    element.setAttribute("aria-setsize", this.#records.length);
    element.setAttribute("aria-selected", String(record.n === this.#active));
    if (row.record === record) return;
    row.record = record;
    element.dataset.kind = record.kind;
    element.dataset.type = record.type;
    element.dataset.hue = this.#hue(record.channel);
    const texts = [clock(record.at), record.channel, record.name, dataOf(record).slice(0, previewChars), offset(record)];
    texts.forEach((text, i) => {
      cells[i].textContent = text;
    });
  }

  #click(event) {
    const row = this.#rows.find(({ element }) => element.contains(event.target));
    if (!row) return;
    this.choose(row.record.n);
    this.#onopen(row.record, false);
  }

  #key(event) {
    const page = Math.max(1, Math.floor(this.#height / this.#rowHeight) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };
    if (event.key === "Enter" || event.key === " ") this.#openActive();
    else if (event.key in steps) this.#move(steps[event.key]);
    else return;
    event.preventDefault();
  }

  #activeRecord() {
    return this.#records.find((record) => record.n === this.#active);
  }

  #openActive() {
    const record = this.#activeRecord();
    if (record) this.#onopen(record, false);
  }

  #move(step) {
    if (this.#records.length === 0) return;
    const inSight = Math.ceil(this.#top / this.#rowHeight);
    const from = this.#activeRecord() ? this.#place(this.#active) : inSight - Math.sign(step);
    const place = Math.min(this.#records.length - 1, Math.max(0, from + step));
    const record = this.#at(place);
    this.#reveal(place);
    this.choose(record.n);
    this.#onopen(record, true);
  }

  #reveal(place) {
    const top = place * this.#rowHeight;
    const bottom = top + this.#rowHeight;
    if (top < this.#top) this.#scrollTo(top);
    else if (bottom > this.#top + this.#height) this.#scrollTo(bottom - this.#height);
    this.#settle();
  }
}
