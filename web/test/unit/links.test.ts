import assert from "node:assert/strict";
import { test } from "node:test";
import { dav_of, parse_guest_link, same_link } from "../../src/lib/guest_link";
import { grant_words, kGrants, uses_words } from "../../src/lib/link_choices";

test("a link's address is read whole or not at all", () => {
  const secret = "aPi75rfebZKl5pPECafIqA";
  for (const rest of ["", "/", "/photos/a%20b"]) assert.deepEqual(parse_guest_link(`#/link/c0e6d646cafd/${secret}${rest}`), { id: "c0e6d646cafd", secret });
  for (const other of ["", "#/", "#/links", "#/link", "#/link/c0e6d646cafd", "#/link/c0e6d646cafd/", "#/link/C0E6D646CAFD/a", "#/link/c0e6/a", "#/link/c0e6d646cafd/a%20b", "#/files/link/c0e6d646cafd/a"]) {
    assert.equal(parse_guest_link(other), undefined, other);
  }
  assert.ok(same_link({ id: "a", secret: "b" }, { id: "a", secret: "b" }));
  assert.ok(!same_link({ id: "a", secret: "b" }, undefined));
  assert.ok(same_link(undefined, undefined));
});

test("rights and uses are told in words", () => {
  for (const { words, rights } of kGrants) assert.equal(grant_words(rights), words);
  assert.equal(grant_words({ see: true, download: false, add: true, edit: false }), "Some rights");
  assert.equal(uses_words({ uses: 0, maxUses: 0 }), "never used");
  assert.equal(uses_words({ uses: 1, maxUses: 0 }), "used 1 time");
  assert.equal(uses_words({ uses: 0, maxUses: 1 }), "used 0 of 1 time");
});

test("a program opens a link by its id as address and its secret as password", () => {
  const url = "https://192.168.1.5:7443/link/c0e6d646cafd/dav/";
  assert.deepEqual(dav_of("https://192.168.1.5:7443/#/link/c0e6d646cafd/secret"), { url, password: "secret" });
  assert.equal(dav_of(""), undefined);
});
