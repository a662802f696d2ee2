// The device's own key: Ed25519, or P-256 where the browser has no Ed25519.
import { KeyKind } from "../gen/hearth/v1/pairing_pb";
import type { Bytes } from "../lib/bytes";

export interface DeviceKey {
  kind: KeyKind;
  keys: CryptoKeyPair;
}

export async function make_device_key(): Promise<DeviceKey> {
  try {
    const keys = (await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"])) as CryptoKeyPair;
    return { kind: KeyKind.ED25519, keys };
  } catch {
    const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);
    return { kind: KeyKind.ECDSA_P256, keys };
  }
}

export async function public_key_der(key: DeviceKey): Promise<Bytes> {
  return new Uint8Array(await crypto.subtle.exportKey("spki", key.keys.publicKey));
}

export async function sign(key: DeviceKey, message: Bytes): Promise<Bytes> {
  const algorithm = key.kind === KeyKind.ED25519 ? { name: "Ed25519" } : { name: "ECDSA", hash: "SHA-256" };
  return new Uint8Array(await crypto.subtle.sign(algorithm, key.keys.privateKey, message));
}

// Whether `signature` is the server's. True without a check in a browser that has no Ed25519: there the fingerprint of
// the identity key, which the link carries, is all that can be compared.
export async function verify_server(identity_key: Bytes, signature: Bytes, message: Bytes): Promise<boolean> {
  let key: CryptoKey;
  try {
    key = await crypto.subtle.importKey("raw", identity_key, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    return error instanceof DOMException && error.name === "NotSupportedError";
  }
  return crypto.subtle.verify({ name: "Ed25519" }, key, signature, message);
}
