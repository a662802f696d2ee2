// What of a hardware keyboard is held for an app, and what is left to the browser: dead keys and input methods compose
// in the page's text field, and what comes of that is typed. Knows no element.
import { kControl, keysym_of } from "./keysyms";

export interface KeyLike {
  type: string;
  key: string;
  code: string;
  keyCode: number;
  isComposing: boolean;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
}

// held: what is held has changed; pass: the text field's; paste: Ctrl+V was pressed; none: nothing to do.
export type Judgement = "held" | "pass" | "paste" | "none";

const kComposing = 229; // a key that an input method has taken, also where `isComposing` is false by then (Safari)
const kAlts = ["AltLeft", "AltRight"];
const kMetas = ["MetaLeft", "MetaRight"];

export class Keyboard {
  #mac: boolean;
  #keys = new Map<string, number>(); // by code, so that a key is released whatever it has become
  #after_dead = false;

  // `mac`: Option makes characters there, and Command is what Ctrl is to the app.
  constructor(mac: boolean) {
    this.#mac = mac;
  }

  // Keysyms, in the order in which they were pressed.
  get held(): number[] {
    return [...this.#keys.values()];
  }

  release_all(): void {
    this.#keys.clear();
    this.#after_dead = false;
  }

  on(event: KeyLike): Judgement {
    return event.type === "keydown" ? this.#down(event) : this.#up(event.code);
  }

  #up(code: string): Judgement {
    if (!this.#keys.delete(code)) return "pass";
    // A Mac does not tell of keys that were released while Command was held.
    if (this.#mac && kMetas.includes(code)) this.#keep_modifiers();
    return "held";
  }

  #down(event: KeyLike): Judgement {
    if (event.isComposing || event.keyCode === kComposing) return "pass";
    if (event.key === "AltGraph") {
      // Windows says Ctrl and Alt first. The character comes by itself, and is no shortcut.
      this.#drop(["ControlLeft", ...kAlts]);
      return "held";
    }
    if (event.key === "Dead") {
      this.#after_dead = true;
      return "pass";
    }
    const key = this.#mac && kMetas.includes(event.code) ? kControl : keysym_of(event);
    if (key === 0) return "pass";
    const is_character = [...event.key].length === 1;
    if (this.#after_dead && !is_modifier(key)) {
      this.#after_dead = false;
      if (is_character) return "pass";
    }
    if (this.#keys.has(event.code)) return "none"; // the app's own keyboard repeats
    const command = event.ctrlKey || (this.#mac && event.metaKey);
    if (command && !event.altKey && event.key.toLowerCase() === "v") return "paste";
    if (this.#mac && event.altKey && is_character && !command) this.#drop(kAlts);
    this.#keys.set(event.code, key);
    return "held";
  }

  #drop(codes: string[]): void {
    for (const code of codes) this.#keys.delete(code);
  }

  #keep_modifiers(): void {
    for (const [code, key] of this.#keys) if (!is_modifier(key)) this.#keys.delete(code);
  }
}

function is_modifier(key: number): boolean {
  return key >= 0xffe1 && key <= 0xffee;
}
