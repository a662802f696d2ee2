// An app's pictures and sound by WebRTC, from its PC to this page by UDP (hearth-media, screen.proto); the tunnel through
// the hub carries what is agreed on, and ends it with its own end.
import { fromBinary } from "@bufbuild/protobuf";
import { ToViewerSchema, type Picture, type ToViewer } from "../gen/hearth/v1/screen_pb";
import { AppTunnel, bytes_of, kMediaPort, type FromViewerInit } from "./app_tunnel";

const kGathering = 500; // milliseconds, as all
const kConnecting = 5000;
const kDisconnected = 1500; // it may come back by itself sooner
const kInOrder = 1000;
const kMaxNotes = 120;

export interface DirectEvents {
  frame: (video: HTMLVideoElement, note: Picture | undefined) => void;
  message: (message: ToViewer) => void; // all but pictures and sound
  closed: (code?: number) => void; // once; by what number, if the tunnel was
}

export class DirectLink {
  #tunnel: AppTunnel;
  #connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
  #channel: RTCDataChannel;
  #video = document.createElement("video");
  #audio = new Audio();
  #notes = new Map<number, Picture>();
  #on: DirectEvents;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #over = false;
  #live = false;
  #in_order_until = 0;

  constructor(job: bigint, hello: () => FromViewerInit, on: DirectEvents) {
    this.#on = on;
    this.#video.muted = true;
    this.#video.playsInline = true;
    // In order: where one is lost, the next one waits until the lost one has come by the tunnel. Else a key's release would
    // overtake its press, which is old then and passed over, and the tap had never been.
    this.#channel = this.#connection.createDataChannel("input", { ordered: true, maxRetransmits: 0 });
    this.#channel.binaryType = "arraybuffer";
    this.#channel.onmessage = (event: MessageEvent<ArrayBuffer>) => this.#hear(fromBinary(ToViewerSchema, new Uint8Array(event.data)));
    this.#connection.ontrack = ({ track, receiver }) => this.#on_track(track, receiver);
    this.#connection.onconnectionstatechange = () => this.#on_state();
    this.#tunnel = new AppTunnel(job, kMediaPort, {
      open: () => void this.#offer(hello()),
      message: (message) => this.#hear(message),
      closed: (code) => this.#end(code),
    });
    this.#timer = setTimeout(() => this.#end(), kConnecting);
  }

  // Every browser that has WebRTC has VP8 for it, if not H.264.
  static is_possible(): boolean {
    return typeof RTCPeerConnection !== "undefined" && "requestVideoFrameCallback" in HTMLVideoElement.prototype;
  }

  // Pictures have come.
  get is_live(): boolean {
    return this.#live;
  }

  send(message: FromViewerInit): void {
    // By both: what is lost on the one way comes by the other, and its number tells that it is the same. But a key does not
    // overtake what is to be there before it, as Ctrl+V the text that it pastes.
    const now = performance.now();
    if (message.input === undefined) this.#in_order_until = now + kInOrder;
    else if (this.#channel.readyState === "open" && now > this.#in_order_until) this.#channel.send(bytes_of({ input: message.input }));
    this.#tunnel.send(message);
  }

  // Since the beginning, of the pictures.
  async counts(): Promise<{ bytes: number; lost: number; packets: number }> {
    const counts = { bytes: 0, lost: 0, packets: 0 };
    for (const one of (await this.#connection.getStats()).values() as Iterable<RTCInboundRtpStreamStats>) {
      if (one.type !== "inbound-rtp" || one.kind !== "video") continue;
      counts.bytes += one.bytesReceived ?? 0;
      counts.lost += one.packetsLost ?? 0;
      counts.packets += one.packetsReceived ?? 0;
    }
    return counts;
  }

  close(): void {
    this.#over = true;
    clearTimeout(this.#timer);
    this.#tunnel.close();
    this.#connection.close();
    this.#video.srcObject = null;
    this.#audio.srcObject = null;
  }

  #end(code?: number): void {
    if (this.#over) return;
    this.close();
    this.#on.closed(code);
  }

  async #offer(hello: FromViewerInit): Promise<void> {
    try {
      this.#connection.addTransceiver("video", { direction: "recvonly" });
      this.#connection.addTransceiver("audio", { direction: "recvonly" });
      await this.#connection.setLocalDescription();
      await this.#gathered();
      this.#tunnel.send({ ...hello, offer: this.#connection.localDescription!.sdp });
    } catch {
      this.#end();
    }
  }

  #gathered(): Promise<void> {
    return new Promise((resolve) => {
      if (this.#connection.iceGatheringState === "complete") return resolve();
      const timer = setTimeout(resolve, kGathering);
      this.#connection.onicegatheringstatechange = () => {
        if (this.#connection.iceGatheringState !== "complete") return;
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #hear(message: ToViewer): void {
    if (this.#over) return;
    if (message.answer !== "") {
      void this.#connection.setRemoteDescription({ type: "answer", sdp: message.answer }).catch(() => this.#end());
    } else if (message.picture !== undefined) {
      this.#notes.set(message.picture.timestamp, message.picture);
      if (this.#notes.size > kMaxNotes) this.#notes.delete(this.#notes.keys().next().value!);
    } else {
      this.#on.message(message);
    }
  }

  #on_track(track: MediaStreamTrack, receiver: RTCRtpReceiver): void {
    const element = track.kind === "video" ? this.#video : this.#audio;
    element.srcObject = new MediaStream([track]);
    void element.play().catch(() => undefined);
    if (track.kind !== "video") return;
    // Where the browser does not take the PC's word that a picture is to be shown at once.
    if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
    this.#video.requestVideoFrameCallback(this.#on_frame);
  }

  #on_frame = (_now: number, of: VideoFrameCallbackMetadata): void => {
    if (this.#over) return;
    this.#video.requestVideoFrameCallback(this.#on_frame);
    clearTimeout(this.#timer);
    this.#live = true;
    const note = of.rtpTimestamp === undefined ? undefined : this.#notes.get(of.rtpTimestamp);
    if (note !== undefined) this.#notes.delete(note.timestamp);
    this.#on.frame(this.#video, note);
  };

  #on_state(): void {
    const state = this.#connection.connectionState;
    if (state === "failed" || state === "closed") this.#end();
    if (state === "disconnected" && this.#live) this.#timer = setTimeout(() => this.#end(), kDisconnected);
    if (state === "connected" && this.#live) clearTimeout(this.#timer);
  }
}
