// A player that is not Hearth's: the least that WHEP needs, on a page of another origin, in Debian's Chromium.
import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Browser, Page } from "playwright-core";
import { desktop, phone } from "../../web/test/browser";
import { pair } from "../harness/device";
import { until } from "../harness/pool";
import { add_colours, becomes, lacks_media, raise_pool, screenshots } from "../harness/stage";

let browser: Browser;
const pool = raise_pool((it) => (browser = it));

// Blue and red by turns.
const kTurns = "while :; do printf '\\033[44m\\033[2J'; sleep 2; printf '\\033[41m\\033[2J'; sleep 2; done";

// What a player has of Hearth: an address and a token.
const kPlayer = `<!doctype html><title>A player</title><video muted autoplay playsinline></video><script>
let connection, session;
async function play(address, token, codec) {
  connection = new RTCPeerConnection();
  const pictures = connection.addTransceiver("video", { direction: "recvonly" });
  if (codec) pictures.setCodecPreferences(RTCRtpReceiver.getCapabilities("video").codecs.filter(({ mimeType }) => mimeType === codec));
  connection.addTransceiver("audio", { direction: "recvonly" });
  const stream = new MediaStream();
  connection.ontrack = ({ track }) => stream.addTrack(track);
  document.querySelector("video").srcObject = stream;
  await connection.setLocalDescription();
  const answer = await fetch(address, { method: "POST", headers: { Authorization: "Bearer " + token, "Content-Type": "application/sdp" }, body: connection.localDescription.sdp });
  if (answer.status !== 201) return answer.status + " " + (await answer.text());
  session = new URL(answer.headers.get("Location"), address).href;
  await connection.setRemoteDescription({ type: "answer", sdp: await answer.text() });
  return "201";
}
const stop = async (token) => (await fetch(session, { method: "DELETE", headers: { Authorization: "Bearer " + token } })).status;
// Of a point where the terminal was before it filled the picture.
function colour() {
  const video = document.querySelector("video");
  if (video.videoWidth === 0) return "nothing";
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  const context = canvas.getContext("2d");
  context.drawImage(video, 0, 0);
  return Array.from(context.getImageData(100, 100, 1, 1).data.slice(0, 3), (part) => (part > 100 ? "f" : "0")).join("");
}
</script>`;

let elsewhere: Server;
before(() => {
  elsewhere = createServer((_, answer) => answer.setHeader("Content-Type", "text/html").end(kPlayer)).listen(0, "127.0.0.1");
});
after(() => elsewhere.close());

async function player(): Promise<Page> {
  const page = await (await desktop(browser)).newPage();
  await page.goto(`http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/`);
  return page;
}

interface Link {
  link: { id: string };
  addresses: string[];
  token: string;
}

const play = (page: Page, { addresses, token }: { addresses: string[]; token: string }, codec = "") =>
  page.evaluate(`play(${JSON.stringify(addresses[0])}, ${JSON.stringify(token)}, ${JSON.stringify(codec)})`) as Promise<string>;
const shows = (page: Page, wanted: string) => until(60_000, async () => (await page.evaluate("colour()")) === wanted || undefined);

test("a player of another origin watches an app, and no more once its link is taken back", { timeout: 300_000, skip: lacks_media }, async () => {
  const job = pool.cli_now("run", "--detach", "--window", "--name", "Colours", "--", "xterm", "-b", "0", "-e", "sh", "-c", kTurns).trim();
  await until(60_000, async () => (await pool.cli("job", job)).out.includes("running") || undefined);
  const link = pool.json<Link>("app", "watch-link", job);
  const page = await player();
  assert.match(await play(page, { ...link, token: "another" }), /^401 /);
  await until(60_000, async () => (await play(page, link)) === "201" || undefined); // until the program has begun
  for (const colour of ["00f", "f00", "00f"]) await shows(page, colour);
  await page.screenshot({ path: join(screenshots, "whep-player.png") });
  assert.match(pool.cli_now("app", "watch-links"), /1 of 2/);
  assert.equal(await page.evaluate(`stop(${JSON.stringify(link.token)})`), 200);
  await until(60_000, () => pool.cli_now("app", "watch-links").includes("0 of 2") || undefined);

  assert.equal(await play(page, link), "201");
  await shows(page, "00f");
  pool.cli_now("app", "unwatch", link.link.id);
  await until(60_000, async () => ["disconnected", "failed", "closed"].includes((await page.evaluate("connection.connectionState")) as string) || undefined);
  assert.match(await play(page, link), /^401 /);
  pool.cli_now("cancel", job);
  await page.context().close();
});

test("players that have no H.264 watch in VP8, beside those that have", { timeout: 300_000, skip: lacks_media }, async () => {
  const job = pool.cli_now("run", "--detach", "--window", "--name", "Both", "--", "xterm", "-b", "0", "-e", "sh", "-c", kTurns).trim();
  await until(60_000, async () => (await pool.cli("job", job)).out.includes("running") || undefined);
  const link = pool.json<Link>("app", "watch-link", job);
  const [first, second] = [await player(), await player()];
  await until(60_000, async () => (await play(first, link, "video/VP8")) === "201" || undefined);
  assert.equal(await play(second, link), "201");
  for (const colour of ["00f", "f00", "00f"]) await Promise.all([shows(first, colour), shows(second, colour)]);
  const codec = (page: Page) => page.evaluate(`connection.getStats().then((all) => [...all.values()].find(({ type, mimeType }) => type === "codec" && mimeType.startsWith("video/")).mimeType)`);
  assert.equal(await codec(first), "video/VP8");
  assert.equal(await codec(second), "video/H264");
  assert.equal(await second.evaluate(`stop(${JSON.stringify(link.token)})`), 200);
  assert.match(await until(60_000, async () => [await play(second, link, "video/AV1")].find((said) => !said.startsWith("429 "))), /^406 .*VP8/s);
  pool.cli_now("cancel", job);
  for (const page of [first, second]) await page.context().close();
});

test("a watch link is made, seen in use and taken back on the page", { timeout: 300_000, skip: lacks_media }, async () => {
  add_colours(pool, "Shown");
  const ann = await pair(pool, await phone(browser), "ann");
  await ann.getByRole("button", { name: "Shown" }).click();
  await becomes(ann.getByLabel("Shown, its picture"), "00f");
  await ann.getByRole("button", { name: "Who sees it" }).click();
  const sheet = ann.getByRole("dialog", { name: "Who sees it" });
  await sheet.getByRole("button", { name: "Watch with another player" }).click();
  const link = { addresses: [await sheet.getByLabel("Address", { exact: true }).inputValue()], token: await sheet.getByLabel("Token", { exact: true }).inputValue() };
  await ann.screenshot({ path: join(screenshots, "whep-sheet.png") });
  await sheet.getByRole("button", { name: "Done" }).click();
  const page = await player();
  assert.equal(await play(page, link), "201");
  await shows(page, "00f");
  await sheet.getByRole("list", { name: "Watch links" }).getByText("1 of 2 players watching").waitFor();
  await sheet.getByRole("list", { name: "Watching now" }).getByText("1 player").waitFor();
  await ann.screenshot({ path: join(screenshots, "whep-watched.png") });
  await sheet.getByRole("button", { name: /Take watch link/ }).click();
  await sheet.getByText("1 of 2 players watching").waitFor({ state: "detached" });
  assert.match(await play(page, link), /^401 /);
  pool.cli_now("cancel", ann.url().split("/").pop()!);
  pool.cli_now("app", "remove", "Shown");
  await page.context().close();
  await ann.context().close();
});
