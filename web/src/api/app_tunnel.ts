// Messages to and from what shows an app on its PC, through the hub (screen.proto).
import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { FromViewerSchema, ToViewerSchema, type ToViewer } from "../gen/hearth/v1/screen_pb";
import { frame_of, FrameReader } from "../lib/frames";

export type FromViewerInit = MessageInitShape<typeof FromViewerSchema>;

export const kScreenPort = 7440; // hearth-screen itself: pictures come through the hub
export const kMediaPort = 7441; // hearth-media: they come by WebRTC
export const kOtherRight = 4001; // by which a stream is closed since the controller was passed on: to be opened again

export function bytes_of(message: FromViewerInit): Uint8Array<ArrayBuffer> {
  return toBinary(FromViewerSchema, create(FromViewerSchema, message)) as Uint8Array<ArrayBuffer>;
}

export class AppTunnel {
  #socket: WebSocket;
  #over = false;

  // `closed` is called once, whoever ended it, but not after close().
  constructor(job: bigint, port: number, on: { open: () => void; message: (message: ToViewer) => void; closed: (code: number) => void }) {
    const address = new URL(`/forward?job=${job}&task=0&port=${port}`, window.location.href);
    address.protocol = address.protocol.replace("http", "ws");
    const reader = new FrameReader();
    this.#socket = new WebSocket(address, "hearth-tunnel.1");
    this.#socket.binaryType = "arraybuffer";
    this.#socket.onopen = () => this.#over || on.open();
    this.#socket.onclose = ({ code }) => {
      if (this.#over) return;
      this.#over = true;
      on.closed(code);
    };
    this.#socket.onmessage = (event: MessageEvent<ArrayBuffer>) => {
      if (this.#over) return;
      try {
        for (const bytes of reader.push(new Uint8Array(event.data))) on.message(fromBinary(ToViewerSchema, bytes));
      } catch {
        this.#socket.close();
      }
    };
  }

  get is_open(): boolean {
    return !this.#over && this.#socket.readyState === WebSocket.OPEN;
  }

  send(message: FromViewerInit): void {
    if (this.is_open) this.#socket.send(frame_of(bytes_of(message)));
  }

  close(): void {
    this.#over = true;
    this.#socket.close();
  }
}
