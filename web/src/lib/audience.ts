// What an app's audience means for whoever is at this page (audiences.proto): whether they may use it, and what is said of it.
import { AppRight, type AppViewer, type AudienceMember, type SharedApp, type WatchLink } from "../gen/hearth/v1/audiences_pb";
import { plural } from "./format";

// An app that is shared with nobody is one's own.
export function may_control(app: SharedApp | undefined): boolean {
  return app === undefined || app.right === AppRight.CONTROL;
}

export function is_yours(app: SharedApp | undefined): boolean {
  return app === undefined || app.isYours;
}

export interface Standing {
  words: string;
  action?: "have it back" | "give it back";
}

// What is to be seen while an app is shared with anybody; nothing: its only viewer is the one whose it is.
export function standing_of(app: SharedApp | undefined): Standing | undefined {
  if (app === undefined) return undefined;
  if (app.isYours) {
    if (app.controller !== "") return { words: `${app.controller} has the controller`, action: "have it back" };
    const others = app.viewers.reduce((count, viewer) => count + Math.max(1, viewer.players), -1);
    if ((app.audience.length === 0 && app.watchLinks.length === 0) || others < 1) return undefined;
    return { words: others === 1 ? "1 other device watches" : `${others} other devices watch` };
  }
  if (app.right === AppRight.CONTROL) return { words: "You have the controller", action: "give it back" };
  return { words: `You watch; ${app.controller || app.owner} has the controller` };
}

export function member_words(app: SharedApp, member: AudienceMember): string {
  if (member.person === app.controller) return "has the controller";
  return member.mayControl ? "watches, and may have the controller" : "watches";
}

export function viewer_words(viewer: AppViewer): string {
  if (viewer.players > 0) return plural(viewer.players, "player");
  return viewer.right === AppRight.CONTROL ? "uses it" : "watches";
}

// For how long a watch link can be made, in seconds, and how many players at the same time the page lets in by one.
export const kWatchLives: readonly (readonly [number, string])[] = [
  [60 * 60, "1 hour"],
  [24 * 60 * 60, "1 day"],
  [7 * 24 * 60 * 60, "7 days"],
];
export const kUsualWatch = 24 * 60 * 60;
export const kPlayers = 2;

export function players_words({ players, maxPlayers }: WatchLink): string {
  return players === 0 ? "nobody watches by it" : `${players} of ${plural(maxPlayers, "player")} watching`;
}

// Those with whom it could be shared besides.
export function others(names: readonly string[], app: SharedApp | undefined): string[] {
  const known = new Set(app?.audience.map((member) => member.person));
  return [...new Set(names)].filter((name) => !known.has(name) && name !== app?.owner).sort((one, other) => one.localeCompare(other));
}
