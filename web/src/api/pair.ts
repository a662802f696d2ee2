// The device's side of hearth-pair/1, step by step; the view shows where it stands.
import { Code } from "@connectrpc/connect";
import { PairStatusReply_State } from "../gen/hearth/v1/pairing_pb";
import { equal, plain, random, sha256, utf8 } from "../lib/bytes";
import { digits, hmac_sha256, nonce_message, transcript, type Invitation } from "../lib/pairing";
import { pause } from "../lib/backoff";
import { make_device_key, public_key_der, sign, verify_server } from "./device_key";
import { erase_pending, save_device, save_pending, type DeviceRecord, type PendingRecord } from "./device_store";
import { is_code, pairing } from "./session";

export type PairEnd = "allowed" | "denied" | "expired";

const kPatienceMillis = 120_000; // as long as the server waits for the owner

// The secret is an invitation from a link, or the eight digits typed by a person.
export async function begin_pairing(secret: Invitation | string, name: string): Promise<PendingRecord> {
  const typed = typeof secret === "string";
  const { serverNonce, identityKey, signature, poolName } = await pairing.nonce({});
  const identity_key = plain(identityKey);
  const server_nonce = plain(serverNonce);
  if (!typed && !equal((await sha256(identity_key)).subarray(0, 10), secret.fingerprint)) {
    throw new Error("The PC that answered is not the one that made the link. Do not go on; show a new code on your PC.");
  }
  if (!(await verify_server(identity_key, plain(signature), nonce_message(server_nonce)))) {
    throw new Error("The PC could not prove who it is. Do not go on; show a new code on your PC.");
  }

  const key = await make_device_key();
  const device_key = await public_key_der(key);
  const device_nonce = random(16);
  const spoken = transcript(identity_key, device_key, server_nonce, device_nonce);
  const reply = await pairing.pair({
    keyKind: key.kind,
    deviceKey: device_key,
    serverNonce: server_nonce,
    deviceNonce: device_nonce,
    name,
    mac: await hmac_sha256(typed ? utf8(secret) : secret.secret, spoken),
    signature: await sign(key, spoken),
  });
  const own_digits = await digits(spoken);
  if (reply.digits !== own_digits) {
    throw new Error("This device and the PC computed different digits: something between them changed the messages. Do not go on.");
  }

  const expires = Date.now() + kPatienceMillis;
  const pending = { ...key, identity_key, pool_name: poolName, name, pairing_id: plain(reply.pairingId), digits: own_digits, expires };
  await save_pending(pending);
  // Asked for, not required: without it a browser short of space may forget the key, and the device pairs again. Nor
  // waited for: Firefox asks the person, who need not answer.
  void navigator.storage?.persist?.().catch(() => false);
  return pending;
}

// Waits for the owner's word. Goes on after a lost connection for as long as the pairing can live.
export async function await_owner(pending: PendingRecord, signal: AbortSignal): Promise<PairEnd> {
  const end = await ask_until_settled(pending, signal);
  if (!signal.aborted) await erase_pending();
  return end;
}

async function ask_until_settled(pending: PendingRecord, signal: AbortSignal): Promise<PairEnd> {
  while (!signal.aborted) {
    try {
      const { state, deviceId } = await pairing.pairStatus({ pairingId: pending.pairing_id }, { signal });
      if (state === PairStatusReply_State.ALLOWED) {
        await save_device(as_device(pending, deviceId));
        return "allowed";
      }
      if (state === PairStatusReply_State.DENIED) return Date.now() >= pending.expires ? "expired" : "denied";
    } catch (error) {
      if (is_code(error, Code.NotFound)) return "expired";
      if (Date.now() > pending.expires + 30_000) return "expired";
      await pause(1500, signal);
    }
  }
  return "expired";
}

function as_device(pending: PendingRecord, device_id: bigint): DeviceRecord {
  const { kind, keys, identity_key, pool_name, name } = pending;
  return { kind, keys, identity_key, pool_name, name, device_id };
}
