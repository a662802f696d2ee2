// Downloads from the drive, by the browser itself.
import { drive_download_url, drive_zip_url } from "../lib/drive_paths";
import { file_name } from "../lib/files";
import { keep_session } from "./session";

export async function download_file(path: string): Promise<void> {
  await keep_session();
  const link = document.createElement("a");
  link.href = drive_download_url(path);
  link.download = file_name(path);
  link.click();
}

// Names of `folder`, or all of it if there are none, as one archive. `refused` is told if something else than an archive comes.
// The form is sent in a frame: there an answer that is no download replaces nothing, and ends no uploads.
export async function download_archive(folder: string, names: readonly string[], refused: (words: string) => void): Promise<void> {
  await keep_session();
  const frame = document.createElement("iframe");
  frame.name = `archive-${crypto.randomUUID()}`;
  frame.hidden = true;
  const form = document.createElement("form");
  form.method = "post";
  form.action = drive_zip_url(folder);
  form.target = frame.name;
  form.hidden = true;
  for (const name of names) {
    const field = document.createElement("input");
    field.name = "name";
    field.value = name;
    form.append(field);
  }
  document.body.append(frame, form);
  form.submit();
  form.remove();
  frame.addEventListener("load", () => {
    const words = answer_in(frame);
    if (words !== undefined) refused(words);
  });
  setTimeout(() => frame.remove(), 3_600_000); // some browsers end a download with its frame
}

// Undefined: still the empty page that it began with.
function answer_in(frame: HTMLIFrameElement): string | undefined {
  try {
    if (frame.contentWindow?.location.href === "about:blank") return undefined;
    return frame.contentDocument?.body.textContent?.trim() || "The archive could not be made.";
  } catch {
    return "The archive could not be made."; // an error page of the browser's own
  }
}
