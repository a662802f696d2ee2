// Files that somebody gives to the page: picked, picked as a folder, or dropped with all that folders hold.
export interface GivenFile {
  path: string; // below the folder where it shall be: "a.jpg", "holiday/a.jpg"
  file: File;
}

export const kMaxGiven = 20_000; // at once

const kTooMany = `At most ${kMaxGiven.toLocaleString("en")} files can be added at once: choose fewer.`;

// Errors: a sentence.
export function picked(files: readonly File[]): GivenFile[] {
  if (files.length > kMaxGiven) throw new Error(kTooMany);
  return files.map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

// To be called while the drop is handled: later its entries are gone. Errors: a sentence.
export async function dropped(items: DataTransferItemList): Promise<GivenFile[]> {
  // What another program drags may be a file of no file system.
  const given = Array.from(items).filter((item) => item.kind === "file").map((item) => ({ entry: item.webkitGetAsEntry(), file: item.getAsFile() }));
  const found: GivenFile[] = [];
  for (const { entry, file } of given) {
    if (entry !== null) await walk(entry, found);
    else if (file !== null) found.push({ path: file.name, file });
  }
  return found;
}

async function walk(entry: FileSystemEntry, found: GivenFile[]): Promise<void> {
  if (found.length >= kMaxGiven) throw new Error(kTooMany);
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject));
    found.push({ path: entry.fullPath.replace(/^\//, ""), file });
    return;
  }
  const reader = (entry as FileSystemDirectoryEntry).createReader();
  for (;;) {
    // A reader gives about a hundred at a time, and none when it is done.
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject));
    if (some.length === 0) return;
    for (const inner of some) await walk(inner, found);
  }
}
