// A WebSocket client with npm's ws: prints each frame it gets, until COUNT events.
import WebSocket from "ws";

const [url, count] = [process.argv[2], Number(process.argv[3])];
const socket = new WebSocket(url);
let left = count;
socket.on("message", (data, isBinary) => {
  if (isBinary) throw new Error("a binary frame");
  console.log(String(data));
  if (JSON.parse(data).type === "event" && --left === 0) socket.close();
});
socket.on("error", (error) => { throw error; });
