"""A WebSocket client with Python's websocket-client: prints each frame it gets, until COUNT events."""
import json
import sys

import websocket

url, count = sys.argv[1], int(sys.argv[2])
socket = websocket.create_connection(url, timeout=60)
while count:
    text = socket.recv()
    print(text, flush=True)
    count -= json.loads(text)["type"] == "event"
socket.close()
