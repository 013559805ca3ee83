// Lines to copy into a terminal or a program, for the current channel.

const example = (channel) => `{
  "channel": ${JSON.stringify(channel)},
  "event": "hello",
  "data": {"text": "Hello from curl"}
}`;

// A single quote ends a shell's quoted word; this leaves the word, adds one, and enters it again.
const shellQuote = (text) => `'${text.replaceAll("'", `'\\''`)}'`;

const handler = (source) => `${source}.onmessage = (message) => {
  const frame = JSON.parse(message.data);
  if (frame.type === "event") {
    console.log(frame.event, frame.data);
  }
};`;

// Snippets make text from what the page knows: the relay's public address
// without a slash at its end, the API's address, and whether keys and tokens are asked for.
export class Snippets {
  #base;
  #settings;

  constructor(base, settings) {
    this.#base = base;
    this.#settings = settings;
  }

  curl(channel) {
    const key = !this.#settings.needs_key ? "" : ` \\\n  -H "Authorization: Bearer $RELAY_API_KEY" \\\n `;
    return `curl ${this.#settings.api_url}/v1/events${key} -d ${shellQuote(example(channel))}`;
  }

  websocket(channel) {
    const url = this.#address(this.#base.replace(/^http/, "ws") + "/v1/ws", channel);
    return `${this.#token()}const socket = new WebSocket(${url});\n${handler("socket")}`;
  }

  eventsource(channel) {
    const url = this.#address(this.#base + "/v1/sse", channel);
    return `${this.#token()}const source = new EventSource(${url});\n${handler("source")}`;
  }

  #token() {
    return this.#settings.takes_tokens ? `const token = "…"; // made by your app\n` : "";
  }

  #address(url, channel) {
    const query = `${url}?channel=${encodeURIComponent(channel)}`;
    return this.#settings.takes_tokens ? `\n  ${JSON.stringify(query + "&token=")} + token\n` : `\n  ${JSON.stringify(query)}\n`;
  }
}

// copyText puts the text of an element on the clipboard. Without permission
// (the page is on plain http, not loopback) it selects the text and returns false.
export async function copyText(element) {
  try {
    await navigator.clipboard.writeText(element.textContent);
    return true;
  } catch {
    getSelection().selectAllChildren(element);
    element.focus();
    return false;
  }
}
