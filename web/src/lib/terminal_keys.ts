// What a terminal's keys send: xterm's sequences, with Ctrl and Alt that were tapped on the page before.
export interface Modifiers {
  control: boolean;
  alt: boolean;
}

const kPlain: Record<string, string> = { Escape: "\x1b", Tab: "\t", Enter: "\r", Backspace: "\x7f" };
const kCursor: Record<string, string> = { ArrowUp: "A", ArrowDown: "B", ArrowRight: "C", ArrowLeft: "D", Home: "H", End: "F" };
const kNumbered: Record<string, number> = { Insert: 2, Delete: 3, PageUp: 5, PageDown: 6 };

// Of a key by the name that browsers give it; "" if it has none. `application`: the program has asked for the cursor
// keys' other sequences (DECCKM).
export function key_sequence(key: string, { control, alt }: Modifiers, application: boolean): string {
  const modifier = 1 + (alt ? 2 : 0) + (control ? 4 : 0);
  if (kPlain[key] !== undefined) return `${alt ? "\x1b" : ""}${key === "Backspace" && control ? "\b" : kPlain[key]}`;
  if (kCursor[key] !== undefined) return modifier > 1 ? `\x1b[1;${modifier}${kCursor[key]}` : `\x1b${application ? "O" : "["}${kCursor[key]}`;
  if (kNumbered[key] !== undefined) return modifier > 1 ? `\x1b[${kNumbered[key]};${modifier}~` : `\x1b[${kNumbered[key]}~`;
  return "";
}

// Of text that was typed: Ctrl makes a control character of it where there is one. Longer text, which was pasted or
// proposed by a phone's keyboard, stays as it is.
export function modified(text: string, { control, alt }: Modifiers): string {
  if ([...text].length !== 1) return text;
  let typed = text;
  if (control) {
    const code = text.toUpperCase().charCodeAt(0);
    if (code >= 0x40 && code <= 0x5f) typed = String.fromCharCode(code & 0x1f);
    else if (text === " ") typed = "\0";
    else if (text === "/") typed = "\x1f";
    else if (text === "?") typed = "\x7f";
  }
  return alt ? `\x1b${typed}` : typed;
}
