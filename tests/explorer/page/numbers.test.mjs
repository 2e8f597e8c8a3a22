import assert from "node:assert/strict";
import test from "node:test";
import { anyValue, fixed, interval, isIndex, percent, signed, significant, toTsv } from "../../../src/protsae/explorer/site/format.js";
import { makeRoute, parseRoute } from "../../../src/protsae/explorer/site/route.js";
import { column, table } from "../../../src/protsae/explorer/site/store.js";
import { checkSaved, mergeSaved } from "../../../src/protsae/explorer/site/saved.js";
import { inkOn, mix, ordered } from "../../../src/protsae/explorer/site/paint.js";
import { axisTicks } from "../../../src/protsae/explorer/site/charts.js";
import { levelName, parseEffects } from "../../../src/protsae/explorer/site/latent.js";

test("numbers are shown with their digits, unknown ones as a dash", () => {
  assert.equal(fixed(0.12345), "0.123");
  assert.equal(fixed(-0.5, 2), "−0.50");
  assert.equal(fixed(null), "–");
  assert.equal(signed(0.05), "+0.050");
  assert.equal(percent(0.000049), "< 0.01 %");
  assert.equal(percent(0.0123), "1.2 %");
  assert.equal(percent(0), "0 %");
  assert.equal(significant(1234.5), "1230");
  assert.equal(interval(0.1, null), "");
  assert.equal(interval(0.1, 0.2), "0.100 to 0.200");
  assert.equal(anyValue(1.5e-7), "1.5e−7");
});

test("null and -1 are no index, 0 is one", () => {
  assert.deepEqual([null, undefined, -1, 0, 3, 1.5, "2"].map(isIndex), [false, false, false, true, true, false, false]);
});

test("TSV keeps one row per line, and no cell starts a formula", () => {
  assert.equal(toTsv([["a\tb", "c\nd"], ["=1+1", null], ["-0.5", -0.5], ["-x", "+2"]]), "a b\tc d\n'=1+1\t\n-0.5\t-0.5\n'-x\t+2\n");
});

test("a route survives making and parsing, whatever an id holds", () => {
  const id = "P1|<b>odd</b>&'\"/?#% ä";
  const { path, query } = parseRoute(makeRoute(["protein", id], { from: 40, to: 60, q: "a&b=c", none: "" }));
  assert.deepEqual(path, ["protein", id]);
  assert.deepEqual([...query], [["from", "40"], ["to", "60"], ["q", "a&b=c"]]);
  assert.equal(makeRoute(["concept", "GO:0008270"]), "#/concept/GO:0008270");
  assert.deepEqual(parseRoute("").path, []);
  assert.deepEqual(parseRoute("#/protein/%E0%A4%A").path, ["protein", "%E0%A4%A"]);
});

test("coded columns are decoded", () => {
  assert.deepEqual(column({ codes: [1, 0, -1], values: ["a", "b"] }), ["b", "a", null]);
  assert.deepEqual(table({ n: 2, columns: { kind: { codes: [0, 0], values: ["free"] }, f1: [1, null] } }), { n: 2, columns: { kind: ["free", "free"], f1: [1, null] } });
  assert.deepEqual(table(undefined), { n: 0, columns: {} });
});

test("bookmarks of a file are checked, and the later one counts", () => {
  const { entries, refused } = checkSaved({ entries: [{ hash: "#/about", title: "About", note: 3, at: "2" }, { hash: "javascript:alert(1)", title: "x" }, null] });
  assert.deepEqual([entries.length, refused, entries[0].note], [1, 2, ""]);
  const merged = mergeSaved([{ hash: "#/a", at: "1", note: "old" }], [{ hash: "#/a", at: "2", note: "new" }, { hash: "#/b", at: "0" }]);
  assert.deepEqual(merged.map((each) => [each.hash, each.note]), [["#/a", "new"], ["#/b", undefined]]);
  assert.deepEqual(checkSaved("nonsense"), { entries: [], refused: 0 });
});

test("the ordered colours get lighter with every step", () => {
  const light = (colour) => colour.match(/\d+/g).map(Number).reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
  const steps = Array.from({ length: 9 }, (_, index) => light(ordered(index / 8)));
  for (let index = 1; index < 9; index += 1) assert.ok(steps[index] > steps[index - 1]);
  assert.equal(mix("#000000", "#ffffff", 0.5), "rgb(128, 128, 128)");
  assert.deepEqual([inkOn("rgb(0, 34, 78)"), inkOn("rgb(254, 232, 56)")], ["#ffffff", "#000000"]);
});

test("axes have round steps within their range", () => {
  assert.deepEqual(axisTicks(0, 1, 4), [0, 0.5, 1]);
  assert.deepEqual(axisTicks(0.47, 0.76, 4), [0.5, 0.6, 0.7]);
  assert.deepEqual(axisTicks(0, 0, 4).length > 0, true);
});

test("effects and levels are read", () => {
  assert.deepEqual(parseEffects("C:+1.2 W:-0.4"), [{ letter: "C", value: 1.2 }, { letter: "W", value: -0.4 }]);
  assert.deepEqual(parseEffects(null), []);
  assert.deepEqual([1, 0.5, 0.556, 0].map(levelName), ["strongest", "middle", "56 %", "weakest"]);
});
