// Keeps the page's own files, so that it opens when the PC does not answer. Never the pool's data: calls, blobs and
// streams go straight to the server.
const kCache = "hearth-shell-1";
const kShell = ["/", "/icon.svg", "/manifest.webmanifest"];

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(kCache).then((cache) => cache.addAll(kShell)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(
    caches
      .keys()
      .then((names) => Promise.all(names.filter((name) => name !== kCache).map((name) => caches.delete(name))))
      .then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const url = new URL(event.request.url);
  if (event.request.method !== "GET" || url.origin !== self.location.origin) return;
  if (url.pathname.startsWith("/assets/")) event.respondWith(from_cache(event.request));
  else if (kShell.includes(url.pathname)) event.respondWith(from_server(event.request));
});

// The names of these files hold the hash of their content.
async function from_cache(request) {
  const cache = await caches.open(kCache);
  return (await cache.match(request)) ?? keep(cache, request, await fetch(request));
}

async function from_server(request) {
  const cache = await caches.open(kCache);
  try {
    return await keep(cache, request, await fetch(request));
  } catch (error) {
    const kept = await cache.match(request, { ignoreSearch: true });
    if (kept === undefined) throw error;
    return kept;
  }
}

// A new page drops the assets of the old one.
async function keep(cache, request, response) {
  if (!response.ok) return response;
  await cache.put(request, response.clone());
  if (new URL(request.url).pathname === "/") {
    const page = await response.clone().text();
    for (const entry of await cache.keys()) {
      const path = new URL(entry.url).pathname;
      if (path.startsWith("/assets/") && !page.includes(path)) await cache.delete(entry);
    }
  }
  return response;
}
