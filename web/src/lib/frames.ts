// The stream between the page and hearth-screen: messages, each preceded by its length as four bytes (screen.proto).
export const kMaxMessage = 4 * 1024 * 1024;

export function frame_of(message: Uint8Array): Uint8Array<ArrayBuffer> {
  const frame = new Uint8Array(4 + message.length);
  new DataView(frame.buffer).setUint32(0, message.length);
  frame.set(message, 4);
  return frame;
}

// Pieces become whole messages.
export class FrameReader {
  #pieces: Uint8Array[] = [];
  #bytes = 0;

  // Throws if a message is too long.
  push(piece: Uint8Array): Uint8Array[] {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    const messages: Uint8Array[] = [];
    while (this.#bytes >= 4) {
      this.#join(4);
      const first = this.#pieces[0]!;
      const length = new DataView(first.buffer, first.byteOffset).getUint32(0);
      if (length > kMaxMessage) throw new Error("The app's PC sends more than it may.");
      if (this.#bytes < 4 + length) break;
      this.#join(4 + length);
      const whole = this.#pieces[0]!;
      messages.push(whole.subarray(4, 4 + length));
      this.#pieces[0] = whole.subarray(4 + length);
      this.#bytes -= 4 + length;
    }
    return messages;
  }

  // Makes the first piece at least so long.
  #join(length: number): void {
    const first = this.#pieces[0];
    if (first !== undefined && first.length >= length) return;
    const all = new Uint8Array(this.#bytes);
    let at = 0;
    for (const piece of this.#pieces) {
      all.set(piece, at);
      at += piece.length;
    }
    this.#pieces = [all];
  }
}

// What WebCodecs calls the stream, by the sequence parameter set of a key picture; undefined: there is none.
export function codec_of(unit: Uint8Array): string | undefined {
  for (let at = 0; at + 7 < unit.length; at++) {
    if (unit[at] !== 0 || unit[at + 1] !== 0 || unit[at + 2] !== 1 || (unit[at + 3]! & 31) !== 7) continue;
    const hex = [4, 5, 6].map((offset) => unit[at + offset]!.toString(16).padStart(2, "0"));
    return `avc1.${hex.join("")}`;
  }
  return undefined;
}
