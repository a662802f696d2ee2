// What this browser keeps about itself, in IndexedDB: its key (which cannot be exported), who it is and which server it
// belongs to.
import type { KeyKind } from "../gen/hearth/v1/pairing_pb";
import type { Bytes } from "../lib/bytes";

export interface DeviceRecord {
  kind: KeyKind;
  keys: CryptoKeyPair;
  identity_key: Bytes; // the server's, pinned when the device was paired
  pool_name: string;
  name: string;
  device_id: bigint;
}

// A device that waits for the owner's word. Kept beside a DeviceRecord, so that a refused pairing loses nothing.
export interface PendingRecord extends Omit<DeviceRecord, "device_id"> {
  pairing_id: Bytes;
  digits: string;
  expires: number; // by this browser's clock, in milliseconds
}

const kStore = "device";

function open(): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open("hearth", 1);
    request.onupgradeneeded = () => request.result.createObjectStore(kStore);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("the browser's storage cannot be opened"));
  });
}

async function run<T>(mode: IDBTransactionMode, action: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const database = await open();
  try {
    return await new Promise<T>((resolve, reject) => {
      const transaction = database.transaction(kStore, mode);
      const request = action(transaction.objectStore(kStore));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onabort = () => reject(transaction.error ?? new Error("the browser's storage refused"));
    });
  } finally {
    database.close();
  }
}

export function load_device(): Promise<DeviceRecord | undefined> {
  return run<DeviceRecord | undefined>("readonly", (store) => store.get("this"));
}

export async function save_device(record: DeviceRecord): Promise<void> {
  await run("readwrite", (store) => store.put(record, "this"));
}

export async function erase_device(): Promise<void> {
  await run("readwrite", (store) => store.clear());
}

export function load_pending(): Promise<PendingRecord | undefined> {
  return run<PendingRecord | undefined>("readonly", (store) => store.get("pending"));
}

export async function save_pending(record: PendingRecord): Promise<void> {
  await run("readwrite", (store) => store.put(record, "pending"));
}

export async function erase_pending(): Promise<void> {
  await run("readwrite", (store) => store.delete("pending"));
}
