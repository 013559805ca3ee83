// The panel that shows one event in full.

import { dataOf } from "./frames.js";
import { pretty } from "./json.js";

// Beyond this, a span for each token makes the browser slower than colours are worth.
const maxColoured = 100_000;

export class Detail {
  #panel;
  #title;
  #facts;
  #body;

  constructor({ panel, title, facts, body }) {
    this.#panel = panel;
    this.#title = title;
    this.#facts = facts;
    this.#body = body;
  }

  get open() {
    return !this.#panel.hidden;
  }

  show(record) {
    this.#panel.hidden = false;
    this.#title.textContent = record.name;
    const facts = {
      Channel: record.channel,
      Position: record.kind === "event" && !record.id ? "none: not in history, delivered at most once" : record.id,
      Arrived: new Date(record.at).toISOString(),
      Size: record.kind === "note" ? "" : `${new Blob([record.raw]).size.toLocaleString("en")} bytes`,
    };
    this.#facts.replaceChildren(...Object.entries(facts).filter(([, text]) => text).flatMap(([term, text]) => [element("dt", term), element("dd", text)]));
    this.#showBody(record);
    this.#body.scrollTop = 0;
  }

  hide() {
    this.#panel.hidden = true;
  }

  #showBody(record) {
    if (record.kind === "note") {
      this.#body.textContent = record.text;
      return;
    }
    const pieces = pretty(record.kind === "event" ? dataOf(record) : record.raw);
    if (record.raw.length > maxColoured) this.#body.textContent = pieces.map(({ text }) => text).join("");
    else this.#body.replaceChildren(...pieces.map(({ kind, text }) => (kind === "space" ? text : element("span", text, kind))));
  }
}

function element(tag, text, className = "") {
  const made = document.createElement(tag);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}
