// What the page shows of a frame: {kind, type, channel, name, id, text, raw}.
// kind is "event", "alert" (something to act on), "frame" (the rest) or "note"
// (the page's own words); text says in short what is not an event; raw is the
// frame as it came.

import { member } from "./json.js";

const alerts = new Set(["error", "reset", "goodbye"]);

const texts = {
  welcome: (f) => `connection ${f.connection}`,
  subscribed: (f) => (f.recovered ? `resumed after ${f.id}` : `from ${f.id ?? "now"}`),
  unsubscribed: (f) => f.reason ?? "",
  reset: (f) => `${f.reason}: events were lost to this page; fetch what they were about again`,
  error: (f) => `${f.code}: ${f.message}`,
  goodbye: (f) => f.reason + (f.reconnect_in_ms === undefined ? "" : `, come back in ${f.reconnect_in_ms} ms`),
};

export function recordOf(frame, raw) {
  const type = String(frame.type);
  const isEvent = type === "event";
  return {
    kind: isEvent ? "event" : alerts.has(type) ? "alert" : "frame",
    type,
    channel: String(frame.channel ?? ""),
    name: isEvent ? String(frame.event) : type,
    id: String(frame.id ?? ""),
    text: isEvent ? "" : Object.hasOwn(texts, type) ? texts[type](frame) : raw,
    raw,
  };
}

export function noteOf(text) {
  return { kind: "note", type: "note", channel: "", name: "console", id: "", text, raw: text };
}

// dataOf returns what is worth reading of a record, in one line.
export function dataOf(record) {
  return record.kind === "event" ? member(record.raw, "data") : record.text;
}

// matches reports whether the text, in lower case, occurs in what the list
// shows of a record. The frame's own words ("type", "data") would match everything.
export function matches(record, text) {
  record.search ??= [record.channel, record.name, record.id, dataOf(record)].join("\n").toLowerCase();
  return record.search.includes(text);
}
