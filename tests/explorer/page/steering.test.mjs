import assert from "node:assert/strict";
import test from "node:test";
import { designStates, fastaEntry, stateLines, substitutions, writtenMost } from "../../../src/protsae/explorer/site/alignment.js";
import { doseCurves, isControl, metricsOf, rowsOf } from "../../../src/protsae/explorer/site/arms.js";
import { extremes, regionAt, residueText, strongest } from "../../../src/protsae/explorer/site/attribution.js";
import { legendPlaces } from "../../../src/protsae/explorer/site/charts.js";

test("residues of a design are kept, written as they were, or changed", () => {
  assert.deepEqual(designStates("ACDE", "AWDE", [1, 2]), ["kept", "changed", "same", "kept"]);
  assert.deepEqual(substitutions("ACDE", "AWDY"), [{ at: 1, from: "C", to: "W" }, { at: 3, from: "E", to: "Y" }]);
  assert.equal(writtenMost({ design: "GGAWA", masked: [0, 1, 2, 4, 3] }), "A 2, G 2, W 1");
});

test("stretches end at the end of a line, and each change stands alone", () => {
  const lines = stateLines(["kept", "kept", "kept", "changed", "changed", "same"], 2);
  assert.deepEqual(lines.map((line) => [line.start, line.parts.map((part) => [part.state, part.from, part.to])]), [
    [0, [["kept", 0, 2]]], [2, [["kept", 2, 3], ["changed", 3, 4]]], [4, [["changed", 4, 5], ["same", 5, 6]]],
  ]);
});

test("a header of FASTA stays on its line", () => {
  assert.equal(fastaEntry("a\n>b", "C".repeat(61)), `>a >b\n${"C".repeat(60)}\nC\n`);
});

test("curves are by arm, in the order of strength, the best first", () => {
  const rows = [["x", "a", 2, 0.1], ["x", "a", 1, 0.3], ["x", "b", 1, 0.9], ["y", "c", 1, 1], ["x", "d", 1, null]].map(([target, arm, strength, score]) => ({ target, arm, strength, score }));
  assert.deepEqual(doseCurves(rows, "x", "score"), [{ arm: "b", x: [1], y: [0.9] }, { arm: "a", x: [1, 2], y: [0.3, 0.1] }]);
  assert.deepEqual(metricsOf([{ arm: "a", gain: null, score: 0.5, isolation: "no" }]), ["score"]);
  assert.deepEqual(rowsOf({ n: 2, columns: { arm: { codes: [0, 0], values: ["a"] }, score: [1, 2] } }), [{ arm: "a", score: 1 }, { arm: "a", score: 2 }]);
  assert.deepEqual(rowsOf(null), []);
  assert.deepEqual(["unsteered", "random_latent", "wrong_concept", "named", "difference_of_means"].map(isControl), [true, true, true, false, false]);
});

test("a part of a strip shows its largest value of either sign", () => {
  assert.deepEqual(extremes([1, -3, 0, 2, 0.5, -0.1], 3), [-3, 2, 0.5]);
  assert.deepEqual(extremes([1, 2], 2), [1, 2]);
  assert.deepEqual(strongest([1, null, -3, 1], 2), [2, 0]);
});

test("a residue is told with its region", () => {
  const regions = [{ rank: 2, start: 0, end: 2 }];
  assert.equal(regionAt(regions, 2), null);
  const found = { at_input: [0, -0.5], at_hook_point: [0, 0.25], occlusion: [0, 0], regions, masked: [1] };
  assert.equal(residueText(found, "AC", 1), "C2 · masked · at the input −0.5 · at the hook point +0.25 · occlusion 0 · region 1 to 2, rank 2");
});

test("a legend goes on in the next line where it does not fit", () => {
  assert.deepEqual(legendPlaces(["a", "b", "c"], 50, 150).map((place) => place.line), [0, 0, 1]);
});
