// What can be chosen when something is shared by a link, and a link in a person's words.
import type { DriveLink, LinkRights } from "../gen/hearth/v1/links_pb";
import { plural } from "./format";

export type Grant = "download" | "add" | "edit" | "box" | "see";
export type Rights = Pick<LinkRights, "see" | "download" | "add" | "edit">;

interface GrantChoice {
  grant: Grant;
  words: string;
  means: string;
  rights: Rights;
  folders_only: boolean;
}

export const kGrants: readonly GrantChoice[] = [
  { grant: "download", words: "Look and download", means: "They change nothing.", rights: { see: true, download: true, add: false, edit: false }, folders_only: false },
  { grant: "add", words: "Add files, too", means: "They add files; nothing is ever replaced.", rights: { see: true, download: true, add: true, edit: false }, folders_only: true },
  { grant: "box", words: "Drop-box", means: "They add files and see nothing, not even what they added.", rights: { see: false, download: false, add: true, edit: false }, folders_only: true },
  { grant: "see", words: "See names only", means: "Names, sizes and times; nothing can be opened.", rights: { see: true, download: false, add: false, edit: false }, folders_only: true },
  { grant: "edit", words: "Edit", means: "They add, replace, rename and delete. What they delete is in your trash.", rights: { see: true, download: true, add: true, edit: true }, folders_only: true },
];

const kDay = 24 * 60 * 60;
// Seconds; 0: it does not run out.
export const kLives: readonly (readonly [number, string])[] = [
  [60 * 60, "1 hour"],
  [kDay, "1 day"],
  [7 * kDay, "7 days"],
  [30 * kDay, "30 days"],
  [365 * kDay, "1 year"],
  [0, "Until taken back"],
];
export const kUsualLife = 7 * kDay;

// 0: any number.
export const kUses: readonly (readonly [number, string])[] = [
  [0, "No limit"],
  [1, "Once"],
  [5, "5 times"],
  [20, "20 times"],
];

// What was made at one of the PC's addresses, at the one by which this page has come: it works, unless it is the PC's own.
export function reached_from_here(address: string): string {
  const own = /^(localhost|127\..*|\[::1\])$/.test(window.location.hostname);
  return own ? address : address.replace(/^https:\/\/[^/]*/, window.location.origin);
}

export function grant_words(rights: Rights | undefined): string {
  const found = kGrants.find((choice) => rights !== undefined && (["see", "download", "add", "edit"] as const).every((right) => choice.rights[right] === rights[right]));
  return found?.words ?? "Some rights";
}

// "used 2 of 5 times", "never used".
export function uses_words({ uses, maxUses }: Pick<DriveLink, "uses" | "maxUses">): string {
  if (maxUses > 0) return `used ${uses} of ${plural(maxUses, "time")}`;
  return uses === 0 ? "never used" : `used ${plural(uses, "time")}`;
}
