// Keys as X11 names them: what a browser says of a key to the number that hearth-screen takes (proto: Input.keys).
const kNamed: Record<string, number> = {
  Backspace: 0xff08,
  Tab: 0xff09,
  Enter: 0xff0d,
  Pause: 0xff13,
  Escape: 0xff1b,
  Home: 0xff50,
  ArrowLeft: 0xff51,
  ArrowUp: 0xff52,
  ArrowRight: 0xff53,
  ArrowDown: 0xff54,
  PageUp: 0xff55,
  PageDown: 0xff56,
  End: 0xff57,
  Insert: 0xff63,
  ContextMenu: 0xff67,
  Delete: 0xffff,
  CapsLock: 0xffe5,
};

const kModifiers: Record<string, number> = {
  ShiftLeft: 0xffe1,
  ShiftRight: 0xffe2,
  ControlLeft: 0xffe3,
  ControlRight: 0xffe4,
  AltLeft: 0xffe9,
  AltRight: 0xffea,
  MetaLeft: 0xffeb,
  MetaRight: 0xffec,
};

export const kControl = 0xffe3;
export const kAlt = 0xffe9;

export function named_key(name: string): number {
  return kNamed[name] ?? 0;
}

// Of one character.
export function character_key(character: string): number {
  const point = character.codePointAt(0) ?? 0;
  return (point >= 0x20 && point <= 0x7e) || (point >= 0xa0 && point <= 0xff) ? point : 0x01000000 + point;
}

// A text cut into what one message may hold, between characters.
export function pieces_to_type(text: string): string[] {
  const kMost = 200; // characters, of at most 4 bytes
  const characters = [...text];
  const pieces: string[] = [];
  for (let at = 0; at < characters.length; at += kMost) pieces.push(characters.slice(at, at + kMost).join(""));
  return pieces;
}

// 0: no key for the app, such as AltGraph, whose character comes by itself.
export function keysym_of(event: { key: string; code: string }): number {
  const { key, code } = event;
  if (key === "AltGraph" || key === "Dead" || key === "Process" || key === "Unidentified") return 0;
  const modifier = kModifiers[code];
  if (modifier !== undefined) return modifier;
  const f = /^F([1-9]|1\d|2[0-4])$/.exec(key);
  if (f !== null) return 0xffbd + Number(f[1]);
  if (kNamed[key] !== undefined) return kNamed[key];
  return [...key].length === 1 ? character_key(key) : 0;
}
