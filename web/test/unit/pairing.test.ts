import assert from "node:assert/strict";
import { webcrypto } from "node:crypto";
import { test } from "node:test";
import { from_base64url, hex, utf8 } from "../../src/lib/bytes";
import { device_name, digits, hmac_sha256, name_problem, nonce_message, parse_fragment, session_message, transcript } from "../../src/lib/pairing";

// Node 18 has WebCrypto, but not as a global.
if (globalThis.crypto === undefined) Object.defineProperty(globalThis, "crypto", { value: webcrypto });

const filled = (size: number, byte: number) => new Uint8Array(size).fill(byte);

test("the transcript is the protocol's bytes in the protocol's order", () => {
  const bytes = transcript(filled(32, 1), filled(44, 2), filled(16, 3), filled(16, 4));
  assert.equal(hex(bytes), hex(utf8("hearth-pair/1")) + "01".repeat(32) + "002c" + "02".repeat(44) + "03".repeat(16) + "04".repeat(16));
  assert.equal(hex(transcript(filled(32, 0), filled(300, 2), filled(16, 3), filled(16, 4))).slice(90, 94), "012c");
});

test("digits and mac of a known transcript", async () => {
  const bytes = transcript(filled(32, 1), filled(44, 2), filled(16, 3), filled(16, 4));
  assert.equal(await digits(bytes), "239220");
  assert.equal(hex(await hmac_sha256(filled(16, 5), bytes)), "69d474b62325aa1b04ea88349bb2a153fd130381970a96dbc71a066e837eac5a");
});

test("digits keep their leading zeros", async () => {
  for (let i = 0; i < 40; i++) assert.match(await digits(utf8(`transcript ${i}`)), /^\d{6}$/);
  assert.equal(await digits(utf8("transcript 49")), "001814");
});

test("HMAC-SHA256 is that of RFC 4231, test case 2", async () => {
  const mac = await hmac_sha256(utf8("Jefe"), utf8("what do ya want for nothing?"));
  assert.equal(hex(mac), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
});

test("what is signed for a nonce and for a session", () => {
  assert.equal(hex(nonce_message(filled(16, 7))), hex(utf8("hearth-nonce/1")) + "07".repeat(16));
  assert.equal(hex(session_message(filled(32, 8), filled(32, 9))), hex(utf8("hearth-session/1")) + "08".repeat(32) + "09".repeat(32));
});

test("a fragment is an invitation, damaged, or something else", () => {
  const invitation = parse_fragment("#pair=1.AAECAwQFBgcICQoLDA0ODw._-7d3Lu6qZiHdg");
  assert.ok(typeof invitation === "object");
  assert.equal(hex(invitation.secret), "000102030405060708090a0b0c0d0e0f");
  assert.equal(hex(invitation.fingerprint), "ffeedddcbbbaa9988776");
  for (const damaged of ["#pair=", "#pair=2.AAECAwQFBgcICQoLDA0ODw._-7d3Lu6qZiHdg", "#pair=1.AAEC._-7d3Lu6qZiHdg", "#pair=1.AAECAwQFBgcICQoLDA0ODw", "#pair=1.AAECAwQFBgcICQoLDA0ODw._-7d3Lu6qZiHdg.x", "#pair=1.AAECAwQFBgcICQoLDA0OD!._-7d3Lu6qZiHdg"]) {
    assert.equal(parse_fragment(damaged), "unsupported", damaged);
  }
  assert.equal(parse_fragment("#/jobs/3"), undefined);
  assert.equal(parse_fragment(""), undefined);
});

test("base64url refuses what it is not", () => {
  assert.equal(from_base64url("a"), undefined);
  assert.equal(from_base64url("ab+/"), undefined);
  assert.equal(from_base64url("ab=="), undefined);
  assert.equal(from_base64url("")?.length, 0);
});

test("names to begin with, and names that the server would refuse", () => {
  assert.equal(device_name("Mozilla/5.0 (Linux; Android 15; Pixel 8) Chrome/150 Mobile Safari"), "Android phone");
  assert.equal(device_name("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)"), "iPhone");
  assert.equal(device_name("Mozilla/5.0 (X11; Linux x86_64)"), "Linux laptop");
  assert.equal(name_problem("Mara's phone"), undefined);
  assert.match(name_problem("  ") ?? "", /name/);
  assert.match(name_problem("ä".repeat(33)) ?? "", /64 bytes/);
  assert.match(name_problem("a\u0007") ?? "", /control/);
});
