import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { AppRight, SharedAppSchema } from "../../src/gen/hearth/v1/audiences_pb";
import { is_yours, may_control, member_words, others, players_words, standing_of, viewer_words } from "../../src/lib/audience";

const app = (init: MessageInitShape<typeof SharedAppSchema>) => create(SharedAppSchema, { name: "Game", owner: "pc", ...init });

test("an app that is shared with nobody is one's own, and nothing is said of it", () => {
  assert.ok(may_control(undefined) && is_yours(undefined));
  assert.equal(standing_of(undefined), undefined);
  assert.equal(standing_of(app({ isYours: true, right: AppRight.CONTROL, viewers: [{ device: "pc" }] })), undefined);
});

test("whose app it is sees who watches, and has the controller back by a tap", () => {
  const shared = app({ isYours: true, right: AppRight.CONTROL, audience: [{ person: "mia" }], viewers: [{ device: "pc" }, { device: "phone" }] });
  assert.deepEqual(standing_of(shared), { words: "1 other device watches" });
  const played = app({ isYours: true, right: AppRight.CONTROL, watchLinks: [{ id: "7-1" }], viewers: [{ device: "pc" }, { device: "television", players: 2 }] });
  assert.deepEqual(standing_of(played), { words: "2 other devices watch" });
  assert.deepEqual(played.viewers.map(viewer_words), ["watches", "2 players"]);
  const passed = app({ isYours: true, right: AppRight.WATCH, controller: "mia", audience: [{ person: "mia", mayControl: true }] });
  assert.deepEqual(standing_of(passed), { words: "mia has the controller", action: "have it back" });
  assert.ok(!may_control(passed));
});

test("a friend watches, or has the controller and gives it back", () => {
  assert.deepEqual(standing_of(app({ right: AppRight.WATCH })), { words: "You watch; pc has the controller" });
  assert.deepEqual(standing_of(app({ right: AppRight.WATCH, controller: "tom" })), { words: "You watch; tom has the controller" });
  assert.deepEqual(standing_of(app({ right: AppRight.CONTROL, controller: "mia" })), { words: "You have the controller", action: "give it back" });
});

test("people are those that it is not shared with yet, each once", () => {
  const shared = app({ isYours: true, controller: "tom", audience: [{ person: "mia" }, { person: "tom", mayControl: true }, { person: "ann", mayControl: true }] });
  assert.deepEqual(others(["tom", "zoe", "pc", "ben", "zoe"], shared), ["ben", "zoe"]);
  assert.deepEqual(shared.audience.map((member) => member_words(shared, member)), ["watches", "has the controller", "watches, and may have the controller"]);
});

test("a watch link says how many watch by it", () => {
  const links = app({ watchLinks: [{ maxPlayers: 2 }, { players: 1, maxPlayers: 2 }] }).watchLinks;
  assert.deepEqual(links.map(players_words), ["nobody watches by it", "1 of 2 players watching"]);
});
