// Paths of the drive ("/photos/a.jpg"; the root is "/"), the page's own addresses for its folders, and where bytes are.
import { guest, guest_address, guest_base } from "./guest_link";

export function join_path(folder: string, name: string): string {
  return folder === "/" ? `/${name}` : `${folder}/${name}`;
}

export function parent_of(path: string): string {
  const cut = path.lastIndexOf("/");
  return cut <= 0 ? "/" : path.slice(0, cut);
}

// Each folder on the way, from the first below the root down to `path` itself.
export function steps_of(path: string): { name: string; path: string }[] {
  const names = path.split("/").filter((name) => name !== "");
  return names.map((name, i) => ({ name, path: `/${names.slice(0, i + 1).join("/")}` }));
}

function encoded(path: string): string {
  return path.split("/").map(encodeURIComponent).join("/");
}

// "/dav/photos/a%20b.jpg". A guest's one shared file is "/".
export function drive_url(path: string): string {
  return `${guest_base}/dav${path === "/" ? "" : encoded(path)}`;
}

export function drive_download_url(path: string, version?: string): string {
  return `${drive_url(path)}?download${version === undefined ? "" : `&version=${encodeURIComponent(version)}`}`;
}

// A small picture of a picture, made by the PC: its longer side in pixels. The etag says which state of it.
export function thumb_url(path: string, etag: string, size: 320 | 1600): string {
  return `${guest_base}/thumb${encoded(path)}?size=${size}&v=${encodeURIComponent(etag)}`;
}

// As a job's input (JobSpec.drive_inputs), where names may be patterns: this one is meant as it is.
export function drive_pattern(path: string): string {
  return path
    .split("/")
    .map((name) => (/[*?[]/.test(name) ? name.replace(/[\\*?[]/g, "\\$&") : name))
    .join("/");
}

// Where chosen entries of a folder, or all of it, are asked for as one archive, by POST.
export function drive_zip_url(folder: string): string {
  return `${drive_url(folder)}/?zip`;
}

export function folder_address(path: string): string {
  return `${guest === undefined ? "#/files" : guest_address}${path === "/" ? "" : encoded(path)}`;
}

// The folder that the rest of an address names, after "#/files". What is no path is the root.
export function folder_of_address(rest: readonly string[]): string {
  try {
    const names = rest.map(decodeURIComponent).filter((name) => name !== "");
    return names.some((name) => name === "." || name === ".." || name.includes("/")) ? "/" : `/${names.join("/")}`;
  } catch {
    return "/";
  }
}

// Why a file or folder cannot be called so; undefined if it can, as far as the page knows.
export function name_problem(name: string): string | undefined {
  if (name.trim() === "") return "It needs a name.";
  if (name === "." || name === "..") return `"${name}" means a folder already.`;
  if (name.includes("/")) return 'A name cannot hold "/".';
  if (new TextEncoder().encode(name).length > 255) return "The name is longer than 255 bytes.";
  return undefined;
}
