// The page: finds its parts in the document and joins them.

import { Channels } from "./channels.js";
import { Connection } from "./connection.js";
import { Detail } from "./detail.js";
import { noteOf, recordOf } from "./frames.js";
import { Journal } from "./journal.js";
import { Meter } from "./meter.js";
import { PublishForm } from "./publish.js";
import { copyText, Snippets } from "./snippets.js";
import { load, save } from "./storage.js";
import { Stream } from "./stream.js";
import { setUpTheme } from "./theme.js";

const $ = (id) => document.getElementById(id);

setUpTheme($("theme"));

// This file is {public path}/console/console.js; all other addresses follow from it.
const base = new URL("..", import.meta.url).href.replace(/\/$/, "");
const socketURL = base.replace(/^http/, "ws") + "/v1/ws";
const settings = await loadSettings();

const tokenKey = "relay.token";
let token = load("sessionStorage", tokenKey);

const journal = new Journal();
const meter = new Meter($("spark").firstElementChild, $("rate"));
const snippets = new Snippets(base, settings);
const channels = new Channels($("chips"), (frame) => connection.send(frame), channelsChanged);
const detail = new Detail({ panel: $("detail"), title: $("detail-title"), facts: $("detail-facts"), body: $("detail-body") });
const stream = new Stream({ list: $("list"), sizer: $("sizer"), fresh: $("fresh"), hue: (name) => channels.hue(name), onopen: openRecord });
const publish = new PublishForm(new URL("events", import.meta.url), (name) => channels.subscribed(name), {
  form: $("publish-form"),
  channel: $("publish-channel"),
  event: $("publish-event"),
  data: $("publish-data"),
  problem: $("publish-problem"),
  result: $("publish-result"),
  format: $("publish-format"),
});
const connection = new Connection(socketURL, () => token, {
  onstate: connectionChanged,
  onopen: () => channels.resubscribe(),
  onframe: frameCame,
  ontrip: (ms) => ($("trip").textContent = ms < 10 ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`),
  onnote: (text) => keep(noteOf(text)),
});

async function loadSettings() {
  try {
    return await (await fetch(new URL("config.json", import.meta.url))).json();
  } catch (error) {
    trouble("The relay went away while this page was loading. Reload it once the relay is back.");
    throw error;
  }
}

// Frames and what is drawn of them.

let drawing = false;
let complaint = ""; // the relay's last error that was about no channel

function frameCame(frame, raw) {
  channels.take(frame);
  if (frame.type === "event") meter.add();
  if (frame.type === "error" && !frame.channel) complaint = frame.message;
  keep(recordOf(frame, raw));
}

function keep(record) {
  journal.add(record);
  drawSoon();
}

// However many frames come, the page is drawn once for each picture of the screen.
function drawSoon() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

function draw() {
  const view = journal.view();
  stream.render(view.records);
  channels.drawCounts();
  $("stream").classList.toggle("is-quiet", view.received === 0 && channels.subscribed(channels.current));
  $("counters").textContent = counters(view);
  $("waiting").textContent = view.waiting ? `${count(view.waiting)} waiting while paused` : "";
}

const count = (n) => n.toLocaleString("en");

function counters({ received, shown, dropped, filtered }) {
  if (received === 0) return "No events yet";
  const parts = [`${count(received)} received`];
  if (filtered) parts.push(`${count(shown)} match the filter`);
  else if (shown < received) parts.push(`${count(shown)} in the list`);
  if (dropped) parts.push(`${count(dropped)} older let go`);
  return parts.join(" · ");
}

// The connection.

let countdown = 0;

function connectionChanged({ name, text, retryAt }) {
  $("state").dataset.state = name;
  $("state-text").textContent = text;
  $("connect").textContent = name === "open" || name === "connecting" || name === "waiting" ? "Disconnect" : "Connect";
  clearInterval(countdown);
  $("trip").textContent = "";
  if (name === "waiting") {
    showWait(retryAt);
    countdown = setInterval(() => showWait(retryAt), 1000);
  }
  if (name === "open") complaint = "";
  else channels.lost();
  drawSoon();
  if (name === "token") askForToken();
  else if (name === "refused") trouble(`The relay refuses this connection. ${complaint} Connect again once that has changed.`);
  else trouble("");
}

function showWait(retryAt) {
  $("trip").textContent = `in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s`;
}

function askForToken() {
  $("token-form").hidden = false;
  $("token").focus();
  if (token) trouble(`${complaint} Paste a fresh token under Channels and apply it.`);
  else trouble("This relay asks for a client token. Paste one under Channels and apply it; `relay token USER CHANNEL` makes one.");
}

function trouble(text) {
  $("trouble").textContent = text;
  $("trouble").hidden = text === "";
}

$("connect").addEventListener("click", () => {
  if ($("connect").textContent === "Connect") connection.connect();
  else connection.disconnect();
});

$("token-form").addEventListener("submit", (event) => {
  event.preventDefault();
  token = $("token").value.trim();
  save("sessionStorage", tokenKey, token);
  connection.connect();
});

// Channels, in the page and in its address.

function channelsChanged() {
  const channel = channels.current;
  const query = new URLSearchParams(channels.names.map((name) => ["channel", name]));
  history.replaceState(null, "", query.size ? `#${query}` : location.pathname + location.search);
  publish.follow(channel);
  $("welcome-channel").textContent = $("snippets-channel").textContent = channel;
  $("welcome-code").textContent = snippets.curl(channel);
  drawSnippet();
  drawSoon();
}

function linkedChannels() {
  return new URLSearchParams(location.hash.slice(1)).getAll("channel");
}

function followLink() {
  const wanted = linkedChannels();
  for (const name of channels.names.filter((known) => !wanted.includes(known))) channels.remove(name);
  for (const name of wanted) subscribe(name);
}

function subscribe(name) {
  const problem = channels.add(name);
  $("subscribe-problem").textContent = problem;
  $("subscribe-problem").hidden = problem === "";
  $("subscribe-channel").setAttribute("aria-invalid", String(problem !== ""));
  return problem === "";
}

$("subscribe-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const input = $("subscribe-channel");
  if (subscribe(input.value.trim())) input.value = "";
});

addEventListener("hashchange", followLink);

// Tools above the list.

function togglePause() {
  if (journal.paused) journal.resume();
  else journal.pause();
  $("pause").setAttribute("aria-pressed", String(journal.paused));
  $("pause").textContent = journal.paused ? "Resume" : "Pause";
  drawSoon();
}

function clearAll() {
  journal.clear();
  channels.clearCounts();
  closeDetail();
  drawSoon();
}

function toggleFrames() {
  const show = $("frames").getAttribute("aria-pressed") !== "true";
  $("frames").setAttribute("aria-pressed", String(show));
  journal.show({ frames: show });
  drawSoon();
}

function toggleOrder() {
  stream.flip();
  $("order").textContent = stream.newestFirst ? "Newest first" : "Newest last";
}

$("pause").addEventListener("click", togglePause);
$("clear").addEventListener("click", clearAll);
$("frames").addEventListener("click", toggleFrames);
$("order").addEventListener("click", toggleOrder);
$("skip").addEventListener("click", () => stream.focus());
$("filter").addEventListener("input", () => {
  journal.show({ filter: $("filter").value });
  drawSoon();
});

// The chosen event.

function openRecord(record, moved) {
  if (!moved || detail.open) detail.show(record);
}

function closeDetail() {
  detail.hide();
  stream.choose(0);
}

$("detail-close").addEventListener("click", () => {
  closeDetail();
  stream.focus();
});

// Snippets.

const tabs = [...document.querySelectorAll("[role=tab]")];

function drawSnippet() {
  const chosen = tabs.find((tab) => tab.getAttribute("aria-selected") === "true");
  $("snippet").textContent = snippets[chosen.id.replace("tab-", "")](channels.current || "demo");
}

function chooseTab(chosen) {
  for (const tab of tabs) {
    tab.setAttribute("aria-selected", String(tab === chosen));
    tab.tabIndex = tab === chosen ? 0 : -1;
  }
  $("snippet-panel").setAttribute("aria-labelledby", chosen.id);
  drawSnippet();
}

tabs.forEach((tab, i) => {
  tab.addEventListener("click", () => chooseTab(tab));
  tab.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const next = tabs[(i + step + tabs.length) % tabs.length];
    chooseTab(next);
    next.focus();
  });
});

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    button.textContent = (await copyText($(button.dataset.copy))) ? "Copied" : "Press Ctrl+C";
    setTimeout(() => (button.textContent = "Copy"), 1500);
  });
}

// The keyboard.

const shortcuts = {
  "/": () => $("filter").focus(),
  s: () => $("subscribe-channel").focus(),
  e: () => publish.focus(),
  p: togglePause,
  c: clearAll,
  o: toggleOrder,
  f: toggleFrames,
  "?": () => $("shortcuts").showModal(),
};

$("help").addEventListener("click", shortcuts["?"]);

addEventListener("keydown", (event) => {
  if ($("shortcuts").open) return;
  if (event.key === "Escape") return escape(event);
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea")) return;
  if (!Object.hasOwn(shortcuts, event.key)) return;
  event.preventDefault();
  shortcuts[event.key]();
});

function escape(event) {
  if (event.target.matches("input, textarea")) stream.focus();
  else if (detail.open) {
    closeDetail();
    stream.focus();
  }
}

// Off we go.

$("endpoint").textContent = socketURL;
$("publish").hidden = !settings.publish;
$("token-form").hidden = !settings.takes_tokens;
$("token").value = token;
const first = linkedChannels();
for (const name of first.length ? first : ["demo"]) subscribe(name);
connection.connect();
