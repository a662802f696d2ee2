// Files that somebody gives to the page: picked, picked as a folder, or dropped with all that folders hold.
export interface GivenFile {
  path: string; // below the folder where it shall be: "a.jpg", "holiday/a.jpg"
  file: File;
}

export const kMaxGiven = 20_000; // at once

export function picked(files: readonly File[]): GivenFile[] {
  return files.map((file) => ({ path: file.webkitRelativePath || file.name, file }));
}

// To be called while the drop is handled: later its entries are gone. Errors: a sentence.
export async function dropped(items: DataTransferItemList): Promise<GivenFile[]> {
  const entries = Array.from(items, (item) => (item.kind === "file" ? item.webkitGetAsEntry() : null)).filter((entry) => entry !== null);
  const found: GivenFile[] = [];
  for (const entry of entries) await walk(entry, found);
  return found;
}

async function walk(entry: FileSystemEntry, found: GivenFile[]): Promise<void> {
  if (found.length >= kMaxGiven) throw new Error(`At most ${kMaxGiven.toLocaleString("en")} files can be added at once: choose fewer folders.`);
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
