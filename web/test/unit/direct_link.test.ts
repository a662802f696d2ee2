// The way of input beside the tunnel. What a browser does is told by objects in its place.
import assert from "node:assert/strict";
import { test } from "node:test";
import { DirectLink } from "../../src/api/direct_link";

test("a key's release does not overtake its press where datagrams are lost", () => {
  const channels: RTCDataChannelInit[] = [];
  class Connection {
    createDataChannel(_: string, how: RTCDataChannelInit) {
      channels.push(how);
      return {};
    }
    close() {}
  }
  class Socket {
    close() {}
  }
  Object.assign(globalThis, { RTCPeerConnection: Connection, WebSocket: Socket, window: { location: { href: "https://pool/" } }, document: { createElement: () => ({}) }, Audio: class {} });
  const link = new DirectLink(1n, () => ({}), { frame: () => undefined, message: () => undefined, closed: () => undefined });
  link.close();
  assert.deepEqual(channels, [{ ordered: true, maxRetransmits: 0 }]); // nor does a lost one hold up the others for good
});
