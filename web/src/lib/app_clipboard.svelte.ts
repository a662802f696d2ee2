// What is copied in an app and pasted into it, as the page has it. Nothing reaches this device's clipboard, or leaves it,
// but when the person says so.
import { LastCopied, TextReader, type Piece } from "./clipboard";

const kPasteWait = 150; // milliseconds for the browser to say what Ctrl+V pastes
const kTooLong = "A text of at most 1 MiB can be pasted into the app";

export class AppClipboard {
  copied = $state<string | undefined>(); // in the app, not yet taken or waved away
  problem = $state(""); // why something was not copied or pasted
  by_hand = $state<string | undefined>(); // to be copied by hand: this browser has no clipboard for the page
  asks = $state(false); // for what is to be pasted, for the same reason

  #clip: (text: string) => boolean;
  #press: () => void;
  #reader = new TextReader();
  #last = new LastCopied();
  #timer: ReturnType<typeof setTimeout> | undefined;

  // `clip`: makes a text what the app pastes; false: it is too long. `press`: Ctrl+V in the app.
  constructor(clip: (text: string) => boolean, press: () => void) {
    this.#clip = clip;
    this.#press = press;
  }

  on_piece(piece: Piece & { problem: string }): void {
    if (piece.problem !== "") {
      this.copied = undefined;
      this.problem = piece.problem;
      return;
    }
    const text = this.#reader.push(piece);
    if (text === undefined || text === "") return;
    this.#last.in_app();
    this.problem = "";
    this.copied = text;
  }

  // Another window is used: something may be copied there.
  away(): void {
    this.#last.away();
  }

  // Within a gesture.
  async take(): Promise<void> {
    const text = this.copied;
    if (text === undefined) return;
    this.copied = undefined;
    try {
      await navigator.clipboard.writeText(text);
      this.#last.here(text);
    } catch {
      this.by_hand = text;
    }
  }

  wave_away(): void {
    this.copied = undefined;
    this.problem = "";
  }

  // Within a gesture.
  async paste_from_here(): Promise<void> {
    try {
      const text = await navigator.clipboard.readText();
      if (text !== "") this.paste(text);
    } catch {
      this.asks = true; // this browser has none for the page, or the person did not let it
    }
  }

  paste = (text: string): void => {
    if (this.#clip(text)) this.#press();
    else this.problem = kTooLong;
  };

  // Ctrl+V was pressed. The browser tells what it pastes by an event; where it does not, the app pastes what it has.
  expect_paste(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#press, kPasteWait);
  }

  // That event; gives the files that are pasted.
  on_paste(event: ClipboardEvent): File[] {
    event.preventDefault();
    clearTimeout(this.#timer);
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) return files;
    const text = event.clipboardData?.getData("text/plain") ?? "";
    if (text === "" || !this.#last.means_here(text)) this.#press();
    else this.paste(text);
    return [];
  }
}
