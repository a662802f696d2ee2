// What is copied and pasted between the page and an app, as pieces of UTF-8 (screen.proto: Clipboard).
export const kPiece = 32 * 1024; // bytes
export const kMaxClipboard = 1024 * 1024;

export interface Piece {
  offset: number;
  data: Uint8Array;
  last: boolean;
}

// undefined: it is longer than it may be.
export function pieces_of(text: string): Piece[] | undefined {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > kMaxClipboard) return undefined;
  const pieces: Piece[] = [];
  for (let offset = 0; offset === 0 || offset < bytes.length; offset += kPiece) {
    pieces.push({ offset, data: bytes.subarray(offset, offset + kPiece), last: offset + kPiece >= bytes.length });
  }
  return pieces;
}

// Pieces become a text; what does not fit together is passed over until another one begins.
export class TextReader {
  #bytes: Uint8Array[] = [];
  #length = 0;
  #broken = false;

  push({ offset, data, last }: Piece): string | undefined {
    if (offset === 0) {
      this.#bytes = [];
      this.#length = 0;
      this.#broken = false;
    }
    this.#broken ||= offset !== this.#length || offset + data.length > kMaxClipboard;
    if (this.#broken) return undefined;
    this.#bytes.push(data);
    this.#length += data.length;
    if (!last) return undefined;
    const decoder = new TextDecoder();
    const text = this.#bytes.map((bytes) => decoder.decode(bytes, { stream: true })).join("") + decoder.decode();
    this.#bytes = [];
    return text;
  }
}

// How a text begins, and how long it is, for a person who is to decide: a program may copy something else than it shows.
export function preview(text: string): string {
  const kMost = 60; // characters
  const lines = text.replace(/\n$/, "").split("\n").length;
  const letters = [...text.slice(0, 4 * kMost).replace(/[\s\p{C}]+/gu, " ").trim()];
  const words = letters.slice(0, kMost).join("") + (letters.length > kMost || text.length > 4 * kMost ? "…" : "");
  return lines > 1 ? `${words} (${lines} lines)` : words;
}

// Of two clipboards, this device's and the app's, which one Ctrl+V means: what was copied last. The page is told of what
// is copied in the app; of this device it sees only, when it is asked to paste, what is there then.
export class LastCopied {
  #app_is_newer = false;
  #was_away = false;
  #seen: string | undefined;

  in_app(): void {
    this.#app_is_newer = true;
    this.#was_away = false;
  }

  // Something may be copied elsewhere now.
  away(): void {
    this.#was_away = true;
  }

  // `text` has been put into this device's clipboard by the page.
  here(text: string): void {
    this.#seen = text;
  }

  // This device's clipboard holds `text`: whether it is what is meant.
  means_here(text: string): boolean {
    const unchanged = text === this.#seen || !this.#was_away;
    this.#seen = text;
    this.#was_away = false;
    if (this.#app_is_newer && unchanged) return false;
    this.#app_is_newer = false;
    return true;
  }
}
