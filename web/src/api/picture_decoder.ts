// H.264 units to pictures, by WebCodecs.
import type { Picture } from "../gen/hearth/v1/screen_pb";
import { codec_of } from "../lib/frames";

export class PictureDecoder {
  #decoder: VideoDecoder | undefined;
  #codec = "";
  #pending = new Map<number, Picture>();
  #shown: (frame: VideoFrame, picture: Picture | undefined) => void;
  #broken: () => void;

  // `shown` closes no frame; `broken`: the next picture has to be one that needs no other.
  constructor(shown: (frame: VideoFrame, picture: Picture | undefined) => void, broken: () => void) {
    this.#shown = shown;
    this.#broken = broken;
  }

  static is_possible(): boolean {
    return typeof VideoDecoder !== "undefined";
  }

  // False: it cannot be decoded without an earlier one that has not come.
  decode(picture: Picture): boolean {
    if (picture.key) this.#prepare(picture);
    if (this.#decoder?.state !== "configured") return false;
    this.#pending.set(Number(picture.number), picture);
    this.#decoder.decode(new EncodedVideoChunk({ type: picture.key ? "key" : "delta", timestamp: Number(picture.number), data: picture.data }));
    return true;
  }

  close(): void {
    if (this.#decoder !== undefined && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = undefined;
    this.#pending.clear();
  }

  #prepare(picture: Picture): void {
    const codec = codec_of(picture.data);
    const name = `${codec} ${picture.width} ${picture.height}`;
    if (codec === undefined || (name === this.#codec && this.#decoder?.state === "configured")) return;
    this.close();
    const decoder = new VideoDecoder({
      output: (frame) => {
        const of = this.#pending.get(frame.timestamp);
        this.#pending.delete(frame.timestamp);
        this.#shown(frame, of);
        frame.close();
      },
      error: () => {
        this.#codec = "";
        this.#broken();
      },
    });
    decoder.configure({ codec, codedWidth: picture.width, codedHeight: picture.height, optimizeForLatency: true });
    this.#decoder = decoder;
    this.#codec = name;
  }
}
