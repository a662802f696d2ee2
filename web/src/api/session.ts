// The session with the server: a short cookie, opened by proving the device's key and opened again whenever the server
// says `unauthenticated`. `clients` are the services; their calls renew the session by themselves, once per call.
import { Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-web";
import { AccountService } from "../gen/hearth/v1/accounts_pb";
import { AppService } from "../gen/hearth/v1/apps_pb";
import { AudienceService } from "../gen/hearth/v1/audiences_pb";
import { BlobService } from "../gen/hearth/v1/blobs_pb";
import { BookingService } from "../gen/hearth/v1/bookings_pb";
import { DeviceService } from "../gen/hearth/v1/devices_pb";
import { DriveService } from "../gen/hearth/v1/drive_pb";
import { EnvironmentService } from "../gen/hearth/v1/environments_pb";
import { JobService } from "../gen/hearth/v1/jobs_pb";
import { LinkService } from "../gen/hearth/v1/links_pb";
import { NodeService } from "../gen/hearth/v1/nodes_pb";
import { OperatorService } from "../gen/hearth/v1/operator_pb";
import { PairingService, Role } from "../gen/hearth/v1/pairing_pb";
import { UsageService } from "../gen/hearth/v1/usage_pb";
import { WorkspaceService } from "../gen/hearth/v1/workspaces_pb";
import { equal, plain } from "../lib/bytes";
import { guest, guest_base } from "../lib/guest_link";
import { session_message } from "../lib/pairing";
import { sign } from "./device_key";
import { load_device } from "./device_store";

// The device is not paired, or no longer: only pairing again helps. A guest's link has ended: only another one helps.
export class NotPaired extends Error {}
// The server has another identity than the one this device was paired with.
export class WrongServer extends Error {}

export interface Session {
  role: Role;
  device_name: string;
}

const transport_options = { baseUrl: window.location.origin, useBinaryFormat: true };
export const pairing = createClient(PairingService, createConnectTransport(transport_options));
const opening = createClient(LinkService, createConnectTransport(transport_options));

const listeners = new Set<(problem: NotPaired | WrongServer) => void>();

// Calls `listener` when the session has ended for good.
export function on_session_lost(listener: (problem: NotPaired | WrongServer) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

const kLookMillis = 600_000;
let running: Promise<Session> | undefined;
let renewal: ReturnType<typeof setTimeout> | undefined;
let renew_at = 0; // in milliseconds since 1970

// Opens or renews the session. Errors: NotPaired, WrongServer, ConnectError (the server is out of reach).
export function prove(): Promise<Session> {
  running ??= prove_once()
    .catch((error: unknown) => {
      if (error instanceof NotPaired || error instanceof WrongServer) {
        stop_renewing();
        listeners.forEach((listener) => listener(error));
      }
      throw error;
    })
    .finally(() => (running = undefined));
  return running;
}

let password = ""; // of the guest's link

export function set_guest_password(typed: string): void {
  password = typed;
}

// A guest's session is the link that he has opened. Errors: NotPaired, ConnectError (permission_denied: the password).
async function open_link({ id, secret }: { id: string; secret: string }): Promise<Session> {
  try {
    const { expiresInSeconds } = await opening.open({ id, secret, password });
    renew_before(Number(expiresInSeconds));
    return { role: Role.UNSPECIFIED, device_name: "" };
  } catch (error) {
    if (is_code(error, Code.NotFound) || is_code(error, Code.FailedPrecondition) || is_code(error, Code.Unauthenticated)) throw new NotPaired(sentence(error));
    throw error;
  }
}

async function prove_once(): Promise<Session> {
  if (guest !== undefined) return open_link(guest);
  const device = await load_device();
  if (device === undefined) throw new NotPaired("This device is not paired.");
  const { challenge, identityKey } = await pairing.challenge({});
  if (!equal(identityKey, device.identity_key)) {
    throw new WrongServer("This is not the PC that this device was paired with. Nothing was sent to it.");
  }
  const signature = await sign(device, session_message(device.identity_key, plain(challenge)));
  try {
    const reply = await pairing.prove({ deviceId: device.device_id, challenge, signature });
    renew_before(Number(reply.expiresInSeconds));
    return { role: reply.role, device_name: reply.deviceName };
  } catch (error) {
    if (is_code(error, Code.Unauthenticated)) throw new NotPaired("The pool no longer knows this device.");
    throw error;
  }
}

// Pictures and videos are fetched by the browser itself, which cannot renew a session: so it is renewed ahead of time.
function renew_before(seconds: number): void {
  stop_renewing();
  const millis = Math.max(10, seconds - 120) * 1000;
  renew_at = Date.now() + millis;
  renewal = setTimeout(() => prove().catch(() => undefined), millis);
}

// Renews the session if it is about to end: a device that slept may have missed the time. Before the browser itself fetches
// something. Errors: see prove().
export async function keep_session(): Promise<void> {
  if (Date.now() < renew_at) return;
  if (guest === undefined) return void (await prove());
  await clients.links.look({}); // which opens the link only if the cookie of an earlier visit is no longer good
  renew_at = Math.max(renew_at, Date.now() + kLookMillis);
}

export function stop_renewing(): void {
  clearTimeout(renewal);
}

export function is_code(error: unknown, code: Code): boolean {
  return error instanceof ConnectError && error.code === code;
}

const renewing: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    if (!is_code(error, Code.Unauthenticated) || request.stream) throw error;
    await prove();
    return await next(request);
  }
};

const transport = createConnectTransport({ ...transport_options, baseUrl: window.location.origin + guest_base, interceptors: [renewing] });
export const clients = {
  accounts: createClient(AccountService, transport),
  apps: createClient(AppService, transport),
  audiences: createClient(AudienceService, transport),
  blobs: createClient(BlobService, transport),
  bookings: createClient(BookingService, transport),
  devices: createClient(DeviceService, transport),
  drive: createClient(DriveService, transport),
  environments: createClient(EnvironmentService, transport),
  jobs: createClient(JobService, transport),
  links: createClient(LinkService, transport),
  nodes: createClient(NodeService, transport),
  operator: createClient(OperatorService, transport),
  usage: createClient(UsageService, transport),
  workspaces: createClient(WorkspaceService, transport),
};

// fetch() of a path that needs the session.
export async function fetch_signed_in(path: string, signal?: AbortSignal, headers: Record<string, string> = {}): Promise<Response> {
  const ask = () => fetch(path, { signal: signal ?? null, headers });
  const response = await ask();
  if (response.status !== 401) return response;
  await prove();
  return await ask();
}

// A sentence for a person about whatever was thrown.
export function sentence(error: unknown): string {
  if (error instanceof ConnectError) {
    const text = error.rawMessage;
    if (error.code === Code.Unavailable || error.code === Code.DeadlineExceeded || /fetch|network|load failed/i.test(text)) {
      return "The PC does not answer. Is it on, and are you on the same network?";
    }
    return sentence_case(text);
  }
  if (error instanceof TypeError) return "The PC does not answer. Is it on, and are you on the same network?";
  return error instanceof Error ? sentence_case(error.message) : String(error);
}

function sentence_case(text: string): string {
  const upper = text.charAt(0).toUpperCase() + text.slice(1);
  return /[.!?]$/.test(upper) ? upper : `${upper}.`;
}
