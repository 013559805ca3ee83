# Publishes one event with Python's standard library. Run: python3 publish.py [CHANNEL [JSON]]
# RELAY_API_URL is where the relay's api listens; RELAY_API_KEY is needed if it has keys.
import json, os, sys, time, urllib.error, urllib.request, uuid

channel = sys.argv[1] if len(sys.argv) > 1 else "demo"
data = json.loads(sys.argv[2]) if len(sys.argv) > 2 else {"hello": "from Python"}

# The key makes a repeat safe: however often the relay gets it, the event is published once.
headers = {"Content-Type": "application/json", "Idempotency-Key": str(uuid.uuid4())}
if key := os.environ.get("RELAY_API_KEY"):
    headers["Authorization"] = "Bearer " + key
request = urllib.request.Request(
    os.environ.get("RELAY_API_URL", "http://127.0.0.1:8081") + "/v1/events",
    data=json.dumps({"channel": channel, "event": "hello", "data": data}).encode(),
    headers=headers,
)

for pause in (0.5, 1, 2, 4, None):
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            print(json.load(response)["results"][0]["id"])
            break
    except urllib.error.HTTPError as error:
        if error.code != 503 or pause is None:
            problem = json.load(error)
            sys.exit(problem["detail"])
        pause = int(error.headers.get("Retry-After", pause))
    except OSError as error:  # refused, reset or timed out
        if pause is None:
            sys.exit(f"The relay does not answer: {error}")
    time.sleep(pause)
