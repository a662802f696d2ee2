// An app's sound where it comes packet by packet (through the hub), and this phone's microphone the other way; Opus, by
// WebCodecs.
import type { Sound } from "../gen/hearth/v1/screen_pb";

const kRate = 48000;
const kAhead = 0.06; // seconds of sound that wait to be played, so that an uneven link is not heard
const kMostAhead = 0.25; // more of it would be late

export class SoundPlayer {
  #context: AudioContext | undefined;
  #decoder: AudioDecoder | undefined;
  #next = 0; // when the next packet begins, by the context's clock

  static is_possible(): boolean {
    return typeof AudioDecoder !== "undefined" && typeof AudioContext !== "undefined";
  }

  play(sound: Sound): void {
    if (!SoundPlayer.is_possible()) return;
    if (this.#decoder?.state !== "configured") this.#open();
    this.#decoder!.decode(new EncodedAudioChunk({ type: "key", timestamp: Number((sound.samples * 1000000n) / BigInt(kRate)), data: sound.opus }));
  }

  close(): void {
    if (this.#decoder !== undefined && this.#decoder.state !== "closed") this.#decoder.close();
    this.#decoder = undefined;
    void this.#context?.close();
    this.#context = undefined;
    this.#next = 0;
  }

  #open(): void {
    this.#context ??= new AudioContext({ sampleRate: kRate, latencyHint: "interactive" });
    void this.#context.resume().catch(() => undefined); // until something is touched, some browsers keep silent
    this.#decoder = new AudioDecoder({ output: (data) => this.#queue(data), error: () => (this.#decoder = undefined) });
    this.#decoder.configure({ codec: "opus", sampleRate: kRate, numberOfChannels: 2 });
  }

  #queue(data: AudioData): void {
    const context = this.#context;
    if (context === undefined) return data.close();
    const buffer = context.createBuffer(data.numberOfChannels, data.numberOfFrames, data.sampleRate);
    for (let channel = 0; channel < data.numberOfChannels; channel++) {
      const samples = new Float32Array(data.numberOfFrames);
      data.copyTo(samples, { planeIndex: channel, format: "f32-planar" });
      buffer.copyToChannel(samples, channel);
    }
    data.close();
    const now = context.currentTime;
    if (this.#next < now) this.#next = now + kAhead;
    if (this.#next > now + kMostAhead) return;
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.connect(context.destination);
    source.start(this.#next);
    this.#next += buffer.duration;
  }
}

// Chromium's only: other browsers hand out no samples of a track.
declare class MediaStreamTrackProcessor {
  constructor(init: { track: MediaStreamTrack });
  readable: ReadableStream<AudioData>;
}

export class Microphone {
  #stream: MediaStream;
  #encoder: AudioEncoder;
  #open = true;

  private constructor(stream: MediaStream, encoder: AudioEncoder) {
    this.#stream = stream;
    this.#encoder = encoder;
  }

  static is_possible(): boolean {
    return "MediaStreamTrackProcessor" in window && typeof AudioEncoder !== "undefined" && navigator.mediaDevices !== undefined;
  }

  // The browser asks the person. Throws if that is refused.
  static async open(send: (opus: Uint8Array) => void): Promise<Microphone> {
    const stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, sampleRate: kRate, echoCancellation: true, noiseSuppression: true } });
    const encoder = new AudioEncoder({
      output: (chunk) => {
        const opus = new Uint8Array(chunk.byteLength);
        chunk.copyTo(opus);
        send(opus);
      },
      error: () => undefined,
    });
    encoder.configure({ codec: "opus", sampleRate: kRate, numberOfChannels: 1, bitrate: 32000 });
    const microphone = new Microphone(stream, encoder);
    void microphone.#run(new MediaStreamTrackProcessor({ track: stream.getAudioTracks()[0]! }).readable.getReader());
    return microphone;
  }

  close(): void {
    this.#open = false;
    for (const track of this.#stream.getTracks()) track.stop();
  }

  async #run(reader: ReadableStreamDefaultReader<AudioData>): Promise<void> {
    while (this.#open) {
      const { done, value } = await reader.read();
      if (done) break;
      if (this.#open && this.#encoder.state === "configured") this.#encoder.encode(value);
      value.close();
    }
    if (this.#encoder.state !== "closed") this.#encoder.close();
  }
}
