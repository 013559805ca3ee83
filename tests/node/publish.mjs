// Publishes COUNT events with npm's ioredis, as an app without the HTTP API would.
import Redis from "ioredis";

const [url, channel, count] = [process.argv[2], process.argv[3], Number(process.argv[4])];
const redis = new Redis(url);
for (let n = 0; n < count; n++) {
  await redis.publish(`relay:${channel}`, JSON.stringify({ event: "n", data: n }));
}
await redis.quit();
