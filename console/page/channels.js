// The channels this page wants, what the relay says about each, and their
// chips. They outlive connections: each new connection asks for all of them
// again, from where the last one ended.

import { channelProblem } from "./names.js";

const hues = 8;

export class Channels {
  #list;
  #send;
  #onchange;
  #all = new Map(); // name -> channel
  #current = "";
  #nextRef = 1;
  #nextHue = 0;

  // send(frame) reports whether it could; onchange() follows every change of
  // the set or of the current channel.
  constructor(list, send, onchange) {
    this.#list = list;
    this.#send = send;
    this.#onchange = onchange;
  }

  get names() {
    return [...this.#all.keys()];
  }

  // current is the channel that the snippets and the form are about.
  get current() {
    return this.#current;
  }

  // subscribed reports whether the relay has confirmed the channel.
  subscribed(name) {
    return this.#all.get(name)?.state === "subscribed";
  }

  hue(name) {
    return this.#all.get(name)?.hue ?? "";
  }

  // add subscribes, or returns what is wrong with the name.
  add(name) {
    const problem = channelProblem(name);
    if (problem) return problem;
    const known = this.#all.get(name);
    if (known?.state === "refused") this.#subscribe(known);
    if (!known) {
      const channel = { name, state: "pending", hue: this.#nextHue++ % hues, since: "", ref: 0, count: 0, ...chip(name) };
      channel.pick.onclick = () => this.select(name);
      channel.close.onclick = () => this.remove(name, true);
      this.#all.set(name, channel);
      this.#list.append(channel.item);
      this.#subscribe(channel);
    }
    this.select(name);
    return "";
  }

  remove(name, focus = false) {
    const channel = this.#all.get(name);
    if (!channel) return;
    const next = channel.item.nextElementSibling ?? channel.item.previousElementSibling;
    this.#all.delete(name);
    channel.item.remove();
    // Focus would fall to the top of the page, away from the chips.
    if (focus) next?.querySelector("button")?.focus();
    this.#send({ type: "unsubscribe", channel: name, ref: this.#nextRef++ });
    if (this.#current === name) this.#current = this.names.at(-1) ?? "";
    this.#drawAll();
  }

  select(name) {
    this.#current = name;
    this.#drawAll();
  }

  // resubscribe asks a new connection for everything.
  resubscribe() {
    for (const channel of this.#all.values()) this.#subscribe(channel);
  }

  // lost marks all as pending: there is no connection.
  lost() {
    for (const channel of this.#all.values()) {
      if (channel.state === "subscribed") channel.state = "pending";
      this.#draw(channel);
    }
  }

  // take learns from a frame of the relay.
  take(frame) {
    const channel = this.#all.get(frame.channel) ?? this.#byRef(frame.ref);
    if (!channel) return;
    if (frame.type === "event") {
      channel.count++;
      if (frame.id) channel.since = frame.id;
      return; // counts are drawn with the next picture, not a thousand times a second
    }
    // The answer to an older request of the same channel says nothing about now.
    if (frame.ref !== undefined && frame.ref !== channel.ref) return;
    if (frame.type === "subscribed" || frame.type === "reset") {
      channel.since = frame.id ?? "";
      channel.state = "subscribed";
      channel.message = "";
    } else if (frame.type === "error" || frame.type === "unsubscribed") {
      channel.state = "refused";
      channel.message = frame.message ?? frame.reason ?? "";
    }
    this.#draw(channel);
  }

  drawCounts() {
    for (const { badge, count } of this.#all.values()) {
      const text = count ? count.toLocaleString("en") : "";
      if (badge.textContent !== text) badge.textContent = text;
    }
  }

  clearCounts() {
    for (const channel of this.#all.values()) channel.count = 0;
  }

  #byRef(ref) {
    if (ref === undefined) return undefined;
    return [...this.#all.values()].find((channel) => channel.ref === ref);
  }

  #subscribe(channel) {
    channel.ref = this.#nextRef++;
    channel.state = "pending";
    channel.message = "";
    const frame = { type: "subscribe", channel: channel.name, ref: channel.ref };
    if (channel.since) frame.since = channel.since;
    this.#send(frame);
    this.#draw(channel);
  }

  #draw(channel) {
    const { item, pick, name, state, message } = channel;
    item.dataset.state = state;
    item.dataset.hue = channel.hue;
    pick.setAttribute("aria-pressed", String(name === this.#current));
    const said = { pending: "not subscribed yet", subscribed: "subscribed", refused: message || "refused" }[state];
    pick.title = `${name}: ${said}`;
    channel.status.textContent = said;
  }

  #drawAll() {
    for (const channel of this.#all.values()) this.#draw(channel);
    this.#onchange();
  }
}

function make(tag, className, text = "") {
  const element = document.createElement(tag);
  element.className = className;
  element.textContent = text;
  return element;
}

function chip(name) {
  const item = make("li", "chip");
  const pick = make("button", "chip-name");
  const badge = make("span", "badge");
  const status = make("span", "chip-status");
  const close = make("button", "chip-close", "×");
  pick.type = close.type = "button";
  close.setAttribute("aria-label", `Unsubscribe from ${name}`);
  close.title = "Unsubscribe";
  pick.append(make("span", "swatch"), make("bdi", "chip-text", name), badge, status);
  item.append(pick, close);
  return { item, pick, badge, status, close };
}
