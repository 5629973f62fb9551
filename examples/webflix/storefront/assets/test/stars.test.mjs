import assert from "node:assert/strict";
import test from "node:test";
import { matches } from "../filter.js";
import { stars, words } from "../stars.js";

test("stars are filled to the nearest whole one", () => {
  assert.equal(stars(0), "☆☆☆☆☆");
  assert.equal(stars(3.5), "★★★★☆");
  assert.equal(stars(5), "★★★★★");
  assert.equal(stars(99), "★★★★★");
});

test("people are counted in words", () => {
  assert.equal(words({ average: 0, count: 0 }), "not rated yet");
  assert.equal(words({ average: 4, count: 1 }), "4.0 by 1 person");
  assert.equal(words({ average: 4.25, count: 8 }), "4.3 by 8 people");
});

test("titles match in any case, without accents, by words in any order", () => {
  assert.ok(matches("The Cabinet of Dr. Caligari", "caligari CABINET"));
  assert.ok(matches("Les Misérables", "miserables"));
  assert.ok(matches("Metropolis", ""));
  assert.ok(!matches("Metropolis", "moon"));
});
