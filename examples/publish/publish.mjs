// Publishes one event with Node's own fetch (18 or later). Run: node publish.mjs [CHANNEL [JSON]]
// RELAY_API_URL is where the relay's api listens; RELAY_API_KEY is needed if it has keys.
import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

const { RELAY_API_URL = "http://127.0.0.1:8081", RELAY_API_KEY } = process.env;
const [channel = "demo", data = '{"hello":"from Node"}'] = process.argv.slice(2);

// The key makes a repeat safe: however often the relay gets it, the event is published once.
const headers = { "Content-Type": "application/json", "Idempotency-Key": randomUUID() };
if (RELAY_API_KEY) headers.Authorization = `Bearer ${RELAY_API_KEY}`;
const body = JSON.stringify({ channel, event: "hello", data: JSON.parse(data) });

let failure;
for (const pause of [0.5, 1, 2, 4, 0]) {
  let wait = pause;
  try {
    const signal = AbortSignal.timeout(10_000);
    const response = await fetch(`${RELAY_API_URL}/v1/events`, { method: "POST", headers, body, signal });
    const answer = await response.json();
    if (response.ok) {
      console.log(answer.results[0].id);
      process.exit();
    }
    failure = answer.detail;
    if (response.status !== 503) break;
    wait = Number(response.headers.get("Retry-After")) || pause;
  } catch (error) {
    failure = `The relay does not answer: ${error.cause ?? error}`;
  }
  if (pause) await sleep(wait * 1000);
}
console.error(failure);
process.exitCode = 1;
