// JSON as text. Parsing it and printing it again would round large numbers and
// drop repeated keys, and a page that shows what was sent must show what was sent.

function stringEnd(text, start) {
  for (let i = start + 1; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === '"') return i + 1;
  }
  return text.length;
}

function wordEnd(text, start) {
  let end = start + 1;
  while (end < text.length && !'{}[],:" \t\r\n'.includes(text[end])) end++;
  return end;
}

function kindOf(char) {
  if (char === '"') return "string";
  if (char === "{" || char === "[") return "open";
  if (char === "}" || char === "]") return "close";
  if (char === ",") return "comma";
  if (char === ":") return "colon";
  return char === "-" || (char >= "0" && char <= "9") ? "number" : "word";
}

// tokens yields {kind, text, start} for each token of a JSON text.
function* tokens(text) {
  for (let i = 0; i < text.length; ) {
    if (" \t\r\n".includes(text[i])) {
      i++;
      continue;
    }
    const kind = kindOf(text[i]);
    let end = i + 1;
    if (kind === "string") end = stringEnd(text, i);
    else if (kind === "number" || kind === "word") end = wordEnd(text, i);
    yield { kind, text: text.slice(i, end), start: i };
    i = end;
  }
}

// member returns the text of one member of the JSON object in text, as it
// stands there, or "" if the object has no such member.
export function member(text, key) {
  const quoted = JSON.stringify(key);
  let depth = 0;
  let last = null;
  let from = -1;
  for (const token of tokens(text)) {
    if (token.kind === "close") depth--;
    if (from >= 0 && (depth === 0 || (depth === 1 && token.kind === "comma"))) {
      return text.slice(from, token.start).trim();
    }
    if (from < 0 && depth === 1 && token.kind === "colon" && last?.text === quoted) from = token.start + 1;
    if (token.kind === "open") depth++;
    last = token;
  }
  return "";
}

// pretty returns the text with line breaks and indentation, as pieces
// {kind, text} that can be coloured by kind; the kind of a member's name is "key".
export function pretty(text) {
  const all = [...tokens(text)];
  const pieces = [];
  let depth = 0;
  const put = (kind, piece) => pieces.push({ kind, text: piece });
  const newline = () => put("space", "\n" + "  ".repeat(depth));
  all.forEach(({ kind, text: piece }, i) => {
    if (kind === "close" && all[i - 1]?.kind !== "open") {
      depth--;
      newline();
    }
    put(kind === "string" && all[i + 1]?.kind === "colon" ? "key" : kind, piece);
    if (kind === "colon") put("space", " ");
    if (kind === "comma") newline();
    if (kind === "open" && all[i + 1]?.kind !== "close") {
      depth++;
      newline();
    }
  });
  return pieces;
}
