// How the page shows a file, by its name; and where its bytes are.
import { hex } from "./bytes";
import { drive_download_url, drive_url, thumb_url } from "./drive_paths";

export type FileKind = "picture" | "drawing" | "video" | "sound" | "text" | "pdf" | "other";

// A file that is shown, wherever its bytes come from.
export interface ShownFile {
  name: string;
  size: number;
  kind: FileKind;
  source: string; // for <img>, <video> and <audio>: with the content type that the name promises
  instead?: string; // for <img>, where the source is not to be had
  raw: string; // to be read by fetch()
  download: string;
}

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

// What the drive serves with a type of its own, beyond what may be asked of a blob.
const kDriveKinds: Record<string, FileKind> = { heic: "picture", heif: "picture", tif: "picture", tiff: "picture", jpe: "picture", mov: "video", m4v: "video", ogv: "video", mkv: "video", opus: "sound", aac: "sound", pdf: "pdf" };
const kDriveText = "html htm css sql rb lua pl kt swift cs php diff patch srt vtt rst bat ps1 env svelte vue".split(" ");

export function drive_kind(name: string): FileKind {
  const ending = extension(name);
  return kDriveKinds[ending] ?? (kDriveText.includes(ending) ? "text" : file_kind(name));
}

export function file_name(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

const kShortName = 20; // characters that have room everywhere
const kLongestEnding = 10;
const kBeforeEnding = 4;

// What of a name may be cut at its end, and what follows that: its ending with a few characters before it. Undefined: it
// is short.
export function split_name(name: string): [string, string] | undefined {
  const characters = Array.from(name);
  if (characters.length <= kShortName) return undefined;
  const dot = characters.lastIndexOf(".");
  const ending = dot > 0 && characters.length - dot <= kLongestEnding ? characters.length - dot : 0;
  const at = characters.length - ending - kBeforeEnding;
  return [characters.slice(0, at).join(""), characters.slice(at).join("")];
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

export function shown_blob(path: string, sha256: Uint8Array, size: number): ShownFile {
  return { name: path, size, kind: file_kind(path), source: media_url(path, sha256), raw: blob_url(sha256), download: download_url(path, sha256) };
}

// Of which the PC makes small pictures: of a film, a frame.
const kFilms = "3gp avi m4v mkv mov mp4 mpg mts ogv webm".split(" ");
const kPictures = "jpg jpeg jpe png webp gif tif tiff heic heif avif".split(" ");
const kSeenByFew = "tif tiff heic heif".split(" "); // few browsers show them
export const kSmallEnough = 512 * 1024; // bytes of a picture that a phone may be sent whole

export function has_small(name: string): boolean {
  return kPictures.includes(extension(name)) || kFilms.includes(extension(name));
}

// A large picture is shown smaller than it is.
export function shown_entry(path: string, size: number, etag: string): ShownFile {
  const url = drive_url(path);
  const file = { name: file_name(path), size, kind: drive_kind(path), source: url, raw: url, download: drive_download_url(path) };
  if (!kPictures.includes(extension(path)) || (size <= kSmallEnough && !kSeenByFew.includes(extension(path)))) return file;
  return { ...file, source: thumb_url(path, etag, 1600), instead: url };
}

// "frame2.png" before "frame10.png".
export function natural_order(a: string, b: string): number {
  return a.localeCompare(b, "en", { numeric: true });
}
