// The form for test events. It posts to the page's own origin; the api
// listener itself refuses browsers.

import { pretty } from "./json.js";
import { channelProblem, eventProblem } from "./names.js";

export class PublishForm {
  #fields;
  #url;
  #hears;
  #followed = ""; // the current channel, as long as nobody typed another

  // hears(channel) says whether this page will see what is published there;
  // fields: form, channel, event, data, problem, result, format.
  constructor(url, hears, fields) {
    this.#url = url;
    this.#hears = hears;
    this.#fields = fields;
    const { form, channel, event, data, format } = fields;
    form.addEventListener("submit", (submitted) => {
      submitted.preventDefault();
      this.#publish();
    });
    form.addEventListener("keydown", (key) => {
      if (key.key !== "Enter" || !(key.ctrlKey || key.metaKey)) return;
      key.preventDefault();
      form.requestSubmit();
    });
    for (const field of [channel, event, data]) field.addEventListener("input", () => this.#check());
    format.addEventListener("click", () => this.#format());
  }

  // follow names the channel to publish to, unless somebody typed another.
  follow(channel) {
    const field = this.#fields.channel;
    if (field.value === "" || field.value === this.#followed) field.value = channel;
    this.#followed = channel;
  }

  focus() {
    this.#fields.data.focus();
  }

  // #check marks the first field that is wrong, says why, and returns whether all is well.
  #check() {
    const { channel, event, data, problem } = this.#fields;
    const problems = new Map([
      [channel, channelProblem(channel.value.trim())],
      [event, eventProblem(event.value)],
      [data, jsonProblem(data.value)],
    ]);
    for (const [field, text] of problems) field.setAttribute("aria-invalid", String(text !== ""));
    const first = [...problems.values()].find((text) => text !== "") ?? "";
    problem.textContent = first;
    problem.hidden = first === "";
    return first === "";
  }

  async #publish() {
    const { channel, event, data } = this.#fields;
    if (!this.#check()) {
      [channel, event, data].find((field) => field.getAttribute("aria-invalid") === "true").focus();
      return;
    }
    const name = channel.value.trim();
    // The data goes out as it was typed: parsed and printed again, large numbers would change.
    const body = `{"channel":${JSON.stringify(name)},"event":${JSON.stringify(event.value)},"data":${data.value}}`;
    try {
      const response = await fetch(this.#url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
      const answer = await response.json().catch(() => ({}));
      if (!response.ok) return this.#say("failed", problemText(response, answer));
      const deaf = this.#hears(name) ? "" : `\nThis page is not subscribed to ${name}, so it does not show it.`;
      this.#say("ok", `Published ${answer.results?.[0]?.id ?? ""}${deaf}`);
    } catch {
      this.#say("failed", "The relay does not answer. Is it still running?");
    }
  }

  #say(kind, text) {
    this.#fields.result.dataset.kind = kind;
    this.#fields.result.textContent = text;
  }

  #format() {
    const { data } = this.#fields;
    if (!this.#check()) return;
    data.value = pretty(data.value).map(({ text }) => text).join("");
  }
}

function jsonProblem(text) {
  if (text.trim() === "") return "Data is any JSON value, at least null.";
  try {
    JSON.parse(text);
    return "";
  } catch (error) {
    return `Data is not JSON: ${error.message}`;
  }
}

// problemText makes a line of an RFC 9457 problem, or of an answer that is none.
function problemText(response, answer) {
  const title = `${response.status} ${answer.title ?? response.statusText}`;
  const items = (answer.errors ?? []).map((item) => `${item.pointer} ${item.detail}`);
  return [title, answer.detail, ...items].filter(Boolean).join("\n");
}
