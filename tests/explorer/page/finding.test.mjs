import assert from "node:assert/strict";
import test from "node:test";
import { DENSITY_BANDS, latentTests, selectRows, sortRows, textTest } from "../../../src/protsae/explorer/site/select.js";
import { asFragment, findFragment, matchScore, rankDocuments } from "../../../src/protsae/explorer/site/ranking.js";
import { firingBetween, parseRange, trackOfWindows, unpackTrack } from "../../../src/protsae/explorer/site/residues.js";
import { childrenOf, layOut, reachable } from "../../../src/protsae/explorer/site/ontology.js";
import { nearestPoint, pointTowards, projection, unitSquare } from "../../../src/protsae/explorer/site/map.js";
import { residueColours } from "../../../src/protsae/explorer/site/structure.js";

test("sorting puts unknown values last in both directions and keeps the order of ties", () => {
  const rows = () => Int32Array.from([0, 1, 2, 3, 4]);
  assert.deepEqual([...sortRows(rows(), [0.5, null, 0.9, 0.5, NaN], true)], [2, 0, 3, 1, 4]);
  assert.deepEqual([...sortRows(rows(), [0.5, null, 0.9, 0.5, NaN], false)], [0, 3, 2, 1, 4]);
  assert.deepEqual([...sortRows(rows(), ["b", "a10", "a9", null, "B"], false)].slice(0, 2), [2, 1]);
});

test("filters combine: every one must hold", () => {
  const columns = { kind: ["free", "free", "defined", "free"], concept: [0, 1, 0, -1], f1: [0.5, 0.9, 0.9, null], floor: [0.2, 0.2, 0.2, null], density: [0.05, 0.2, 0.05, 0], shape: ["point", "long", "point", "dead"] };
  const concepts = { columns: { aspect: ["MFO", "BPO"], id: ["a", "b"] } };
  const texts = ["zinc binding", "transport", "zinc", ""];
  const rows = (wanted) => [...selectRows(4, latentTests(columns, concepts, texts, new Map(Object.entries(wanted))))];
  assert.deepEqual(rows({}), [0, 1, 2, 3]);
  assert.deepEqual(rows({ kind: "free", aspect: "MFO" }), [0]);
  assert.deepEqual(rows({ above: "0.4" }), [1, 2]);
  assert.deepEqual(rows({ density: "middle", shape: "point", q: "ZINC" }), [0, 2]);
  assert.deepEqual(rows({ density: "dead" }), [3]);
  assert.deepEqual(rows({ concept: "b" }), [1]);
});

test("every density is in exactly one band", () => {
  for (const density of [0, 1e-6, 0.001, 0.0011, 0.1, 0.5, 1]) assert.equal(Object.values(DENSITY_BANDS).filter(([, holds]) => holds(density)).length, 1);
});

test("40,000 rows are filtered and sorted in less than 100 ms", () => {
  const n = 40_000;
  const texts = Array.from({ length: n }, (_, row) => `latent ${row} active at ${row % 97} residues of helices`);
  const values = Array.from({ length: n }, (_, row) => (row * 7919) % 10007);
  const run = () => sortRows(selectRows(n, [textTest(texts, "active helices"), (row) => row % 3 > 0]), values, true);
  run();
  const started = performance.now();
  assert.equal(run().length, 26_666);
  assert.ok(performance.now() - started < 400, "four times the bound: tests share two cores"); // the bound itself is measured by benchmarks/explorer.py
});

test("an exact id comes before names, whole words before parts of words", () => {
  const documents = [
    { kind: "concept", id: "go:0008270", name: "zinc ion binding" },
    { kind: "concept", id: "go:0000001", name: "zincophoresis" },
    { kind: "protein", id: "p12345", name: "protein that likes zinc" },
    { kind: "latent", id: "protsae 1", name: "benzinc" },
    { kind: "motif", id: "", name: "go:0008270" },
  ];
  assert.deepEqual(rankDocuments(documents, "zinc", 9).map((each) => each.name), ["zinc ion binding", "zincophoresis", "protein that likes zinc", "benzinc"]);
  assert.equal(rankDocuments(documents, "GO:0008270", 9)[0].name, "zinc ion binding");
  assert.equal(rankDocuments(documents, " P12345 ", 9)[0].kind, "protein");
  assert.deepEqual(rankDocuments(documents, "zinc binding", 9).map((each) => each.name), ["zinc ion binding"]);
  assert.equal(rankDocuments(documents, "zinc", 1).filter((each) => each.kind === "concept").length, 1);
  assert.deepEqual(rankDocuments(documents, "   ", 9), []);
  assert.equal(matchScore(documents[0], ["copper"], "copper"), 0);
});

test("fragments are amino acids in capitals; X stands for any", () => {
  assert.equal(asFragment("ACDEF"), "ACDEF");
  assert.equal(asFragment("kinase"), null);
  assert.equal(asFragment("kinasekinase"), "KINASEKINASE");
  assert.equal(asFragment("ZINC*"), null);
  assert.equal(asFragment("ACD"), null);
  assert.deepEqual(findFragment(["MMMACDEF", null, "ACDEF", "ACWEF"], "ACXEF", 2), [{ protein: 0, start: 3 }, { protein: 2, start: 0 }]);
});

const TRACKS = [
  { dictionary: 0, latent: 1, max: 2, runs: [[10, [51, 255]], [30, [102]]] },
  { dictionary: 0, latent: 2, max: 1, runs: [[12, [204, 0, 51]]] },
];

test("a track unpacks to the activations", () => {
  const values = unpackTrack(TRACKS[0], 31);
  assert.ok(Math.abs(values[10] - 0.4) < 1e-6 && values[11] === 2 && values[12] === 0 && Math.abs(values[30] - 0.8) < 1e-6);
});

test("windows of a protein make a track", () => {
  const track = trackOfWindows([{ start: 2, acts: [0, 1] }, { start: 6, acts: [0.5] }], 1);
  assert.deepEqual([...unpackTrack(track, 8)].map((value) => Number(value.toFixed(2))), [0, 0, 0, 1, 0, 0, 0.5, 0]);
  assert.equal(trackOfWindows([], 1), null);
});

test("brushing lists the latents that are active there, the strongest part of their own maximum first", () => {
  assert.deepEqual(firingBetween(TRACKS, 11, 14).map((each) => [each.track.latent, each.at, each.count]), [[1, 11, 1], [2, 12, 2]]);
  assert.deepEqual(firingBetween(TRACKS, 12, 12).map((each) => [each.track.latent, Number(each.peak.toFixed(3))]), [[2, 0.8]]);
  assert.deepEqual(firingBetween(TRACKS, 13, 13), []);
});

test("a range is read 1-based, in either order, and only inside the protein", () => {
  assert.deepEqual(parseRange("40", "60", 100), [39, 59]);
  assert.deepEqual(parseRange("60", "40", 100), [39, 59]);
  assert.deepEqual(parseRange("7", "", 100), [6, 6]);
  assert.deepEqual(parseRange("90", "200", 100), [89, 99]);
  assert.equal(parseRange("101", "120", 100), null);
  assert.equal(parseRange("x", "", 100), null);
  assert.equal(parseRange(undefined, undefined, 100), null);
});

test("a concept is laid out below all its ancestors, by the longest way", () => {
  //  0 → 1 → 3, 0 → 3, 2 → 3, 3 → 4
  const parents = [[], [0], [], [1, 0, 2], [3]];
  assert.deepEqual(childrenOf(parents), [[1, 3], [3], [3], [4], []]);
  assert.deepEqual([...reachable(parents, 4)].sort(), [0, 1, 2, 3]);
  const { layers, edges, more } = layOut(parents, 3);
  assert.deepEqual(layers.map((layer) => [...layer].sort()), [[0], [1, 2], [3], [4]]);
  assert.ok(edges.some(([a, b]) => a === 0 && b === 3) && edges.length === 5 && more === 0);
  assert.equal(layOut([[], [0], [0], [0]], 0, 2).more, 1);
});

test("a circle in the user's own table does not hang the page", () => {
  assert.ok(layOut([[1], [0]], 0).layers.length >= 1);
});

test("the map finds the point below the pointer, and the next one in a direction", () => {
  const points = unitSquare([0, 10, null, 5], [0, 10, 3, 9]);
  assert.deepEqual(points.x, [0, 1, null, 0.5]);
  const project = projection({ x: 0.5, y: 0.5, zoom: 1 }, 200, 100);
  assert.equal(nearestPoint(points, project, project.x(1) + 3, project.y(1), 10), 1);
  assert.equal(nearestPoint(points, project, 0, 0, 10), -1);
  assert.equal(pointTowards(points, 0, 0, 1), 3);
  assert.equal(pointTowards(points, 1, 1, 0), -1);
  const aside = { x: [0, 0.1, 0.9], y: [0, 0.3, 0] };
  assert.equal(pointTowards(aside, 0, 1, 0), 2, "what lies more to the side than ahead is not ahead");
});

test("residues without a counterpart in the structure have no colour", () => {
  const colours = residueColours([5, null, 7], [0, 1, 1], "#0072b2");
  assert.deepEqual([...colours], [[5, "#c9d1da"], [7, "#0072b2"]]);
});
