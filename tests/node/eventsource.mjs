// An EventSource client with npm's eventsource: prints each frame it gets, until COUNT events.
import { EventSource } from "eventsource";

const [url, count] = [process.argv[2], Number(process.argv[3])];
const source = new EventSource(url);
let left = count;
source.onmessage = ({ data, lastEventId }) => {
  const frame = JSON.parse(data);
  if (frame.id && lastEventId !== frame.id) throw new Error(`lastEventId ${lastEventId}, frame ${data}`);
  console.log(data);
  if (frame.type === "event" && --left === 0) source.close();
};
source.onerror = (error) => { throw new Error(error.message ?? "the stream failed"); };
