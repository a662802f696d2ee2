import { parse_fragment, type Invitation } from "../lib/pairing";

// The invitation that the page was opened with. Erases it from the address and the history.
export function take_invitation(): Invitation | "unsupported" | undefined {
  const invitation = parse_fragment(window.location.hash);
  if (invitation !== undefined) history.replaceState(null, "", window.location.pathname);
  return invitation;
}
