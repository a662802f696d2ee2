// How the page shows a file, by its name; and where its bytes are.
import { hex } from "./bytes";

export type FileKind = "picture" | "drawing" | "video" | "sound" | "text" | "other";

const kPassiveTypes: Record<string, [FileKind, string]> = {
  png: ["picture", "image/png"],
  jpg: ["picture", "image/jpeg"],
  jpeg: ["picture", "image/jpeg"],
  gif: ["picture", "image/gif"],
  webp: ["picture", "image/webp"],
  avif: ["picture", "image/avif"],
  bmp: ["picture", "image/bmp"],
  mp4: ["video", "video/mp4"],
  webm: ["video", "video/webm"],
  mp3: ["sound", "audio/mpeg"],
  ogg: ["sound", "audio/ogg"],
  wav: ["sound", "audio/wav"],
  m4a: ["sound", "audio/mp4"],
  flac: ["sound", "audio/flac"],
};
const kText = "txt log csv tsv md json jsonl xml yaml yml toml ini conf py c cc cpp cxx h hpp sh js ts rs go java tex obj pov".split(" ");

export function extension(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot <= 0 ? "" : name.slice(dot + 1).toLowerCase();
}

// An SVG is a "drawing": it can hold scripts, so it is only ever shown through <img>, from a data: URL.
export function file_kind(path: string): FileKind {
  const ending = extension(path);
  if (ending === "svg") return "drawing";
  return kPassiveTypes[ending]?.[0] ?? (kText.includes(ending) ? "text" : "other");
}

export function file_name(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

export function blob_url(sha256: Uint8Array): string {
  return `/blob/${hex(sha256)}`;
}

// For <img>, <video> and <audio>: with the content type that the name promises.
export function media_url(path: string, sha256: Uint8Array): string {
  const type = kPassiveTypes[extension(path)]?.[1];
  return type === undefined ? blob_url(sha256) : `${blob_url(sha256)}?as=${encodeURIComponent(type)}`;
}

export function download_url(path: string, sha256: Uint8Array): string {
  return `${blob_url(sha256)}?name=${encodeURIComponent(file_name(path))}`;
}

// "frame2.png" before "frame10.png".
export function natural_order(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
