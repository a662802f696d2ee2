// What covers the page (a dialog, a picture, the bar of a choice) ends when the person goes back, by a phone's gesture or the
// browser's button, and the place beneath it stays: the history has an entry more for each. What ends otherwise leaves its
// entry, for the next one or to be passed over: to go back from there at once would meet what the page does meanwhile.
const covers: (() => void)[] = [];

// How many entries more the one has that the page is at.
const entries = () => (history.state as { covers?: number } | null)?.covers ?? 0;
let at = entries();
let address = location.href;

function settle_scrolling() {
  if (covers.length === 0) history.scrollRestoration = "auto";
}

window.addEventListener("popstate", () => {
  const [came_from, was] = [at, address];
  [at, address] = [entries(), location.href];
  const ended = covers.splice(at);
  for (const close of ended) close();
  settle_scrolling();
  if (ended.length === 0 && at < came_from && address === was) history.back();
});

// For an effect: while `open`, `close` is called when the person goes back.
export function keep_covered(open: boolean, close: () => void): (() => void) | undefined {
  if (!open) return undefined;
  covers.push(close);
  if (at < covers.length) {
    history.scrollRestoration = "manual"; // the entry beneath: one may have scrolled before coming back to it
    history.pushState({ ...history.state, covers: covers.length }, "");
    at = covers.length;
  }
  return () => {
    const place = covers.indexOf(close);
    if (place >= 0) covers.splice(place, 1);
    settle_scrolling();
  };
}

// The same of a dialog, which is shown and closed. Closed otherwise (Escape), it calls its own onclose.
export function keep_shown(dialog: HTMLDialogElement, open: boolean, close: () => void): (() => void) | undefined {
  if (open && !dialog.open) dialog.showModal();
  else if (!open && dialog.open) dialog.close();
  return keep_covered(open, close);
}
