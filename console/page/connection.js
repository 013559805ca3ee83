// The connection's life: connect, stay, leave, come back. It follows the
// relay's contract for close codes and goodbye frames, and knows nothing of channels.

const firstPingAfter = 500; // sooner, it would time the start of the page instead of the way
const pingEvery = 5000;
const steadyAfter = 5000; // a connection that lasted this long was a success
const firstDelay = 500;
const laterDelay = 5000; // the relay said: later
const longestDelay = 20000;

const freshToken = 4401;
const stayAway = new Set([1009, 4400, 4403]);
const comeLater = new Set([4429, 4503]);

// Connection calls back: onstate({name, text, retryAt}), onopen(), onframe(frame,
// text), ontrip(ms), onnote(text). The state's name is connecting, open,
// waiting (until retryAt), stopped, token (a fresh one is wanted) or refused.
export class Connection {
  #url;
  #token;
  #on;
  #socket = null;
  #timers = [];
  #failures = 0;
  #openedAt = 0;
  #reconnectIn = null; // ms, as the relay's goodbye asked
  #pingedAt = 0;
  #heard = false; // anything, since the last ping
  #state = "stopped";

  // token is a function, because people change it between two attempts.
  constructor(url, token, callbacks) {
    this.#url = url;
    this.#token = token;
    this.#on = callbacks;
    addEventListener("online", () => {
      if (this.#state === "waiting" && this.#reconnectIn === null) this.connect();
    });
  }

  get state() {
    return this.#state;
  }

  connect() {
    this.#forget();
    this.#reconnectIn = null;
    this.#openedAt = 0;
    this.#set("connecting", "Connecting");
    const socket = new WebSocket(this.#url);
    this.#socket = socket;
    socket.onopen = () => this.#opened();
    socket.onmessage = (message) => this.#received(message.data);
    socket.onclose = (event) => this.#closed(event.code, event.reason);
  }

  disconnect() {
    this.#forget();
    this.#failures = 0;
    this.#set("stopped", "Disconnected");
  }

  // send reports whether there was a connection to send the frame on.
  send(frame) {
    if (this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  #set(name, text, retryAt = 0) {
    this.#state = name;
    this.#on.onstate({ name, text, retryAt });
  }

  #opened() {
    this.#openedAt = performance.now();
    // A token in the URL would end in logs and histories. It goes first:
    // the relay takes it before any subscription only.
    if (this.#token()) this.send({ type: "token", token: this.#token() });
    this.#set("open", "Connected");
    this.#on.onopen();
    this.#heard = true;
    this.#timers.push(setTimeout(() => this.#ping(), firstPingAfter));
    this.#timers.push(setInterval(() => this.#watch(), pingEvery));
  }

  #ping() {
    this.#pingedAt = performance.now();
    this.#heard = false;
    this.send({ type: "ping" });
  }

  // A network that goes away silently is found out here; the browser itself
  // may take many minutes.
  #watch() {
    if (this.#heard) this.#ping();
    else this.#closed(1006, "no answer to a ping");
  }

  #received(text) {
    this.#heard = true;
    let frame;
    try {
      frame = JSON.parse(text);
    } catch {
      this.#on.onnote("A frame that is no JSON: " + String(text).slice(0, 200));
      return;
    }
    if (frame.type === "pong") {
      this.#on.ontrip(performance.now() - this.#pingedAt);
      return;
    }
    if (frame.type === "goodbye") this.#reconnectIn = frame.reconnect_in_ms ?? null;
    this.#on.onframe(frame, text);
  }

  #closed(code, reason) {
    const steady = this.#openedAt > 0 && performance.now() - this.#openedAt >= steadyAfter;
    this.#failures = steady ? 0 : this.#failures + 1;
    const said = reason ? `${code}, ${reason}` : String(code);
    const opened = this.#openedAt > 0;
    this.#forget();
    this.#on.onnote(opened ? `Connection closed: ${said}` : `No connection to ${this.#url}`);
    if (code === freshToken) this.#set("token", "Token needed");
    else if (stayAway.has(code)) this.#set("refused", "Refused");
    else this.#comeBack(code);
  }

  #comeBack(code) {
    const delay = this.#reconnectIn ?? this.#backoff(comeLater.has(code) ? laterDelay : firstDelay);
    this.#set("waiting", "Reconnecting", Date.now() + delay);
    this.#timers.push(setTimeout(() => this.connect(), delay));
  }

  // Random within the upper half, so that a thousand pages do not come back as one.
  #backoff(base) {
    const ceiling = Math.min(longestDelay, base * 2 ** Math.min(this.#failures, 10));
    return ceiling / 2 + (Math.random() * ceiling) / 2;
  }

  #forget() {
    for (const timer of this.#timers.splice(0)) clearTimeout(timer);
    if (!this.#socket) return;
    this.#socket.onopen = this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#socket = null;
  }
}
