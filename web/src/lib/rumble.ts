// What an app wants of its gamepad's motors: felt in the gamepads in the hand, and, while controls are on its glass, by the phone.
interface Motors {
  strong: number; // 0 to 65535
  weak: number;
  millis: number;
}

interface Shaking {
  vibrationActuator?: { playEffect(kind: "dual-rumble", effect: { duration: number; strongMagnitude: number; weakMagnitude: number }): Promise<unknown> } | null;
}

const kMost = 65535;
const kLongest = 4000; // milliseconds; browsers play no more than 5,000 at once
const kFelt = 0.05;

export class Rumble {
  #pads: () => readonly (Shaking | null)[];
  #phone: (millis: number) => unknown;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(pads: () => readonly (Shaking | null)[], phone: (millis: number) => unknown) {
    this.#pads = pads;
    this.#phone = phone;
  }

  // In the place of what was before.
  shake({ strong, weak, millis }: Motors, on_glass: boolean): void {
    clearTimeout(this.#timer);
    const [strongMagnitude, weakMagnitude] = [Math.min(1, strong / kMost), Math.min(1, weak / kMost)];
    const is_felt = Math.max(strongMagnitude, weakMagnitude) >= kFelt;
    const duration = is_felt ? Math.min(millis, kLongest) : 0;
    for (const pad of this.#pads()) {
      // Refused while the page is not looked at, or by what has no motors.
      void pad?.vibrationActuator?.playEffect("dual-rumble", { duration, strongMagnitude, weakMagnitude }).catch(() => undefined);
    }
    if (on_glass) this.#phone(duration);
    if (is_felt && millis > kLongest) this.#timer = setTimeout(() => this.shake({ strong, weak, millis: millis - kLongest }, on_glass), kLongest);
  }

  stop(): void {
    this.shake({ strong: 0, weak: 0, millis: 0 }, true);
  }
}
