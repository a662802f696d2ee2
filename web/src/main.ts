import { mount } from "svelte";
import App from "./App.svelte";
import "./app.css";
import { take_invitation } from "./api/invitation";
import { guest, parse_guest_link, same_link } from "./lib/guest_link";

// Before anything else looks at the address: the secret in it must not stay in the history.
const invitation = take_invitation();

window.addEventListener("hashchange", () => {
  if (!same_link(guest, parse_guest_link(window.location.hash))) window.location.reload();
});

mount(App, { target: document.getElementById("app")!, props: { invitation } });

// Browsers refuse a service worker under a certificate they do not know; the page works without.
navigator.serviceWorker?.register("/sw.js").catch(() => undefined);
