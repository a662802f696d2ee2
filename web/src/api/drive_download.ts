// Downloads from the drive, by the browser itself.
import { drive_download_url, drive_zip_url } from "../lib/drive_paths";
import { file_name } from "../lib/files";
import { keep_session } from "./session";

// `version`: an earlier one (DriveVersion.id).
export async function download_file(path: string, { name = file_name(path), version }: { name?: string; version?: string } = {}): Promise<void> {
  await keep_session();
  const link = document.createElement("a");
  link.href = drive_download_url(path, version);
  link.download = name;
  link.click();
}

// Names of `folder`, or all of it if there are none, as one archive. `refused` is told if something else than an archive comes.
// The form is sent in a frame: there an answer that is no download replaces nothing, and ends no uploads. The frame says
// where it comes from, which the page itself never does: without that the hub takes no form.
export async function download_archive(folder: string, names: readonly string[], refused: (words: string) => void): Promise<void> {
  await keep_session();
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.srcdoc = '<meta name="referrer" content="same-origin">';
  frame.onload = () => {
    frame.onload = () => refused(answer_in(frame));
    send_form(frame.contentDocument!, drive_zip_url(folder), names);
  };
  document.body.append(frame);
  setTimeout(() => frame.remove(), 3_600_000); // some browsers end a download with its frame
}

function send_form(place: Document, action: string, names: readonly string[]): void {
  const form = place.createElement("form");
  form.method = "post";
  form.action = action;
  for (const name of names) {
    const field = place.createElement("input");
    field.name = "name";
    field.value = name;
    form.append(field);
  }
  place.body.append(form);
  form.submit();
}

function answer_in(frame: HTMLIFrameElement): string {
  return frame.contentDocument?.body.textContent?.trim() || "The archive could not be made.";
}
