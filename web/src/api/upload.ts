// Files to the server, as blobs: only what it lacks, with progress.
import { sha256, hex, type Bytes } from "../lib/bytes";
import { encode_tree, type TreeEntry } from "../lib/tree";
import { clients, prove } from "./session";

export interface InputFile {
  path: string; // in the task's working directory
  content: Blob;
  executable: boolean;
}

export interface StoredTree {
  sha256: Bytes;
  size: number;
}

// WebCrypto hashes only what is in memory at once.
export const kMaxFileBytes = 1024 * 1024 * 1024;

interface Upload {
  sha256: Bytes;
  content: Blob;
}

// Stores the files, and the tree that names them and `kept`, files that the server has. `on_progress` gets bytes sent and
// bytes to send.
export async function store_inputs(files: InputFile[], kept: TreeEntry[], on_progress: (sent: number, total: number) => void, signal: AbortSignal): Promise<StoredTree> {
  const brought = new Set(files.map((file) => file.path));
  const entries = kept.filter((entry) => !brought.has(entry.path));
  const uploads = new Map<string, Upload>();
  const add = async (content: Blob) => {
    const hash = await sha256(new Uint8Array(await content.arrayBuffer()));
    uploads.set(hex(hash), { sha256: hash, content });
    return hash;
  };
  for (const file of files) {
    if (file.content.size > kMaxFileBytes) throw new Error(`${file.path} is too large for a browser: at most 1 GiB. Use the hearth command on a PC.`);
    signal.throwIfAborted();
    entries.push({ path: file.path, sha256: await add(file.content), size: file.content.size, executable: file.executable });
  }
  const tree = encode_tree(entries);
  const tree_hash = await add(new Blob([tree as Bytes]));
  await send(uploads, on_progress, signal);
  return { sha256: tree_hash, size: tree.length };
}

async function send(uploads: Map<string, Upload>, on_progress: (sent: number, total: number) => void, signal: AbortSignal): Promise<void> {
  const { sha256: missing } = await clients.blobs.missing({ sha256: Array.from(uploads.values(), (upload) => upload.sha256) }, { signal });
  const wanted = missing.map((hash) => uploads.get(hex(hash))).filter((upload) => upload !== undefined);
  const total = wanted.reduce((sum, upload) => sum + upload.content.size, 0);
  let sent = 0;
  on_progress(0, total);
  for (const upload of wanted) {
    await put(upload, (now) => on_progress(sent + now, total), signal);
    sent += upload.content.size;
    on_progress(sent, total);
  }
}

async function put(upload: Upload, on_progress: (sent: number) => void, signal: AbortSignal): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { status, text } = await put_once(upload, on_progress, signal);
    if (status === 200 || status === 201) return;
    if (status === 401 && attempt === 1) await prove();
    else if (status === 0 && attempt < 4) await new Promise((resolve) => setTimeout(resolve, 1000 * attempt));
    else throw new Error(refusal(status, text));
  }
}

// XMLHttpRequest because fetch() does not tell how much of a body was sent. Status 0: the connection broke.
function put_once(upload: Upload, on_progress: (sent: number) => void, signal: AbortSignal): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const abort = () => request.abort();
    signal.addEventListener("abort", abort);
    request.open("PUT", `/blob/${hex(upload.sha256)}`);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.upload.onprogress = (event) => on_progress(event.loaded);
    request.onloadend = () => {
      signal.removeEventListener("abort", abort);
      if (signal.aborted) reject(new DOMException("stopped", "AbortError"));
      else resolve({ status: request.status, text: request.responseText });
    };
    request.send(upload.content);
  });
}

function refusal(status: number, text: string): string {
  if (status === 0) return "The connection broke during the upload. Try again.";
  if (status === 413) return "A file is too large for the server.";
  if (status === 507) return "The server's disk limit is reached: its owner has to make room.";
  return text.trim() === "" ? `The upload was refused (HTTP ${status}).` : text.trim();
}
