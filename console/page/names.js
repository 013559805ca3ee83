// The contract's rules for names, so that a typing mistake is told at once and
// costs no frame. The relay checks again; it is the one that decides.

const bytes = (text) => new TextEncoder().encode(text).length;

// channelProblem returns what is wrong with a channel's name, or "".
export function channelProblem(name) {
  if (name === "") return "A channel needs a name.";
  if (bytes(name) > 255) return "A channel name has at most 255 bytes.";
  if (/\p{Cc}/u.test(name)) return "A channel name must not hold control characters.";
  if (/[*{}]/.test(name)) return "A channel name must not hold *, { or }.";
  if (name.startsWith("_")) return "Names that begin with _ are the relay's own.";
  return "";
}

// eventProblem returns what is wrong with an event's name, or "".
export function eventProblem(name) {
  if (name === "") return "An event needs a name.";
  if (bytes(name) > 128) return "An event name has at most 128 bytes.";
  return "";
}
