import { create } from "@bufbuild/protobuf";
import assert from "node:assert/strict";
import { test } from "node:test";
import { HubSchema } from "../../src/gen/hearth/v1/nodes_pb";
import { other_hubs } from "../../src/lib/hubs";

test("a page points to the living hubs that do not serve it", () => {
  const kitchen = create(HubSchema, { name: "kitchen", endpoints: "10.0.0.5:7443 [fd00::5]:7443", alive: true, holds: true });
  const attic = create(HubSchema, { name: "attic", endpoints: "10.0.0.6:7443 192.168.1.6:7443", alive: true });
  assert.deepEqual(other_hubs([kitchen, attic], "10.0.0.5:7443"), [{ name: "attic", url: "https://10.0.0.6:7443/" }]);
  assert.deepEqual(other_hubs([kitchen, attic], "[fd00::5]:7443"), [{ name: "attic", url: "https://10.0.0.6:7443/" }]);
  assert.deepEqual(other_hubs([kitchen], "10.0.0.5:7443"), []);
  assert.deepEqual(other_hubs([create(HubSchema, { ...attic, alive: false })], "10.0.0.5:7443"), []);
  assert.deepEqual(other_hubs([create(HubSchema, { name: "new", alive: true })], "10.0.0.5:7443"), []);
});
