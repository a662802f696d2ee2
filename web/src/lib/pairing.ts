// The arithmetic of hearth-pair/1 (proto/hearth/v1/pairing.proto): what is signed, what is shown.
import { concat, from_base64url, sha256, utf8, type Bytes } from "./bytes";

export interface Invitation {
  secret: Bytes; // 16 random bytes
  fingerprint: Bytes; // the first 10 bytes of SHA-256 over the server's identity key
}

// The invitation in a page's fragment: "#pair=1.<secret>.<fingerprint>". "unsupported": a link of another version, or
// damaged. Undefined: the fragment speaks of something else.
export function parse_fragment(fragment: string): Invitation | "unsupported" | undefined {
  if (!fragment.startsWith("#pair=")) return undefined;
  const [version, secret_text, fingerprint_text, ...rest] = fragment.slice("#pair=".length).split(".");
  const secret = from_base64url(secret_text ?? "");
  const fingerprint = from_base64url(fingerprint_text ?? "");
  if (version !== "1" || rest.length > 0 || secret?.length !== 16 || fingerprint?.length !== 10) return "unsupported";
  return { secret, fingerprint };
}

export function transcript(identity_key: Uint8Array, device_key: Uint8Array, server_nonce: Uint8Array, device_nonce: Uint8Array): Bytes {
  const length = Uint8Array.of(device_key.length >> 8, device_key.length & 0xff);
  return concat(utf8("hearth-pair/1"), identity_key, length, device_key, server_nonce, device_nonce);
}

export function nonce_message(server_nonce: Uint8Array): Bytes {
  return concat(utf8("hearth-nonce/1"), server_nonce);
}

export function session_message(identity_key: Uint8Array, challenge: Uint8Array): Bytes {
  return concat(utf8("hearth-session/1"), identity_key, challenge);
}

// The six digits that the owner compares.
export async function digits(bytes: Uint8Array): Promise<string> {
  const hash = await sha256(bytes);
  const number = new DataView(hash.buffer).getUint32(0, false) % 1_000_000;
  return String(number).padStart(6, "0");
}

export async function hmac_sha256(secret: Uint8Array, message: Uint8Array): Promise<Bytes> {
  const key = await crypto.subtle.importKey("raw", secret as Bytes, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, message as Bytes));
}

// A name to begin with, from what the browser says about itself.
export function device_name(user_agent: string): string {
  if (/iPhone/.test(user_agent)) return "iPhone";
  if (/iPad/.test(user_agent)) return "iPad";
  if (/Android/.test(user_agent)) return /Mobile/.test(user_agent) ? "Android phone" : "Android tablet";
  if (/CrOS/.test(user_agent)) return "Chromebook";
  if (/Macintosh/.test(user_agent)) return "Mac";
  if (/Windows/.test(user_agent)) return "Windows PC";
  if (/Linux/.test(user_agent)) return "Linux laptop";
  return "My device";
}

// What the server takes as a device's name: 1 to 64 bytes without control characters.
export function name_problem(name: string): string | undefined {
  if (name.trim() === "") return "Give this device a name that the owner will recognise.";
  if (utf8(name).length > 64) return "The name is too long: at most 64 bytes.";
  if (/[\u0000-\u001f\u007f]/.test(name)) return "The name holds control characters.";
  return undefined;
}
