// The first page: what was trained on what, how it compares, and a map of all latents.
import { atlas, at, bestConcept, concepts, dictionaryColour, dictionaryLabel, isDefined, latentHref, latentName, latents } from "./atlas.js";
import { dotPlot, histogram, lineChart } from "./charts.js";
import { announce, el } from "./dom.js";
import { fixed, integer, isKnown, interval, percent, signed, words, isIndex } from "./format.js";
import { term } from "./glossary.js";
import { latentMap, unitSquare } from "./map.js";
import { OKABE, ordered } from "./paint.js";
import { choice, empty, figureBox, notice, panel, isMinor, panelGrid, plainTable, recordRows, score, tick } from "./panel.js";
import { makeRoute, replaceQuery } from "./route.js";
import { load, table } from "./store.js";

// As the dots of the tables: report.css has the same colours for `.supervision`.
const SUPERVISION = { training: OKABE[0], selection: OKABE[1], probe: OKABE[2], transfer: OKABE[3] };
const METRICS = { auc: "AUC", aupr: "AUPR", fmax: "Fmax" };

function tile(value, label, hint) {
  return el("div", { class: "tile" }, el("strong", null, value), el("span", null, label), hint && el("small", null, hint));
}

/** Colours of the map: a function of the row, and the entries of its key. */
function mapColouring(by, columns, conceptTable, aspects) {
  const grey = "rgba(138, 146, 158, 0.4)";
  if (by === "density" || by === "f1") {
    const values = columns[by];
    const share = by === "f1" ? (value) => value : (value) => (Math.log10(Math.max(value, 1e-5)) + 5) / 5;
    const key = by === "f1" ? [["0", ordered(0)], ["0.5", ordered(0.5)], ["1", ordered(1)]] : [["0.001 % or less", ordered(0)], ["0.3 %", ordered(0.5)], ["100 %", ordered(1)]];
    return { colour: (row) => (isKnown(values?.[row]) ? ordered(share(values[row])) : grey), key: [...key, ["unknown", grey]] };
  }
  const text = {
    kind: (row) => columns.kind[row],
    aspect: (row) => (isIndex(columns.concept[row]) ? conceptTable.columns.aspect[columns.concept[row]] : null),
    shape: (row) => columns.shape?.[row],
    family: (row) => columns.family?.[row],
    topic: (row) => columns.topic?.[row],
  }[by];
  const counts = new Map();
  for (let row = 0; row < columns.kind.length; row += 1) {
    const value = text(row);
    if (isKnown(value) && value !== -1) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  // The eight largest groups have a colour; more could not be told apart.
  const names = [...counts].sort((a, b) => b[1] - a[1]).slice(0, 8).map(([name]) => name);
  const colours = new Map(names.map((name, index) => [name, (by === "aspect" && aspects[name]?.colour) || OKABE[index]]));
  const label = (name) => (by === "family" || by === "topic" ? `${by} ${name}` : by === "aspect" ? (aspects[name]?.name ?? name) : name);
  return { colour: (row) => colours.get(text(row)) ?? grey, key: [...names.map((name) => [label(name), colours.get(name)]), [counts.size > 8 ? "all others" : "none", grey]] };
}

const COLOUR_BY = { kind: "kind", aspect: "best concept (aspect)", f1: "F1 of its concept", density: "density", shape: "shape", family: "family (largest)", topic: "topic (largest)" };

async function mapPanel(query) {
  const dictionaries = atlas.index.dictionaries;
  const named = dictionaries.findIndex((each) => each.name === query.get("d"));
  const position = Math.max(named, 0);
  const [tableOf, conceptTable] = await Promise.all([latents(position), concepts()]);
  const { columns, n } = tableOf;
  const key = el("ul", { class: "map-key" });
  const by = { value: query.get("by") in COLOUR_BY ? query.get("by") : "kind" };
  if (!columns.x?.some(isKnown)) return panel({ title: "Map of all latents", wide: true }, empty("This run has no map: the cards of latents were not made."));
  const points = unitSquare(columns.x, columns.y);
  const [x, y, zoom] = (query.get("view") ?? "").split(",").map(Number);
  const view = zoom > 0 ? { x, y, zoom } : { x: 0.5, y: 0.5, zoom: 1 };
  let colouring = mapColouring(by.value, columns, conceptTable, atlas.index.aspects);
  const describe = (row) => {
    const concept = bestConcept(tableOf, row);
    const about = isIndex(concept) ? `${isDefined(position, row) && concept !== row ? `${latentName(position, conceptTable, row)}; best with ` : ""}${at(conceptTable, "name", concept)}, F1 ${fixed(at(tableOf, "f1", row), 2)} (floor ${fixed(at(tableOf, "floor", row), 2)})` : "no concept";
    return `Latent ${row} (${columns.kind[row]}): ${about}`;
  };
  const map = latentMap({
    points, view, describe,
    paintOf: (row) => colouring.colour(row),
    open: (row) => { location.hash = latentHref(position, row); },
    onView: ({ x: a, y: b, zoom: c }) => replaceQuery({ view: c === 1 && a === 0.5 && b === 0.5 ? "" : [a, b, c].map((value) => Number(value.toFixed(4))).join(",") }),
    label: `Map of the ${integer(n)} latents of ${dictionaryLabel(position)}. Arrow keys go from point to point, Enter opens one, plus and minus zoom, 0 resets.`,
  });
  const showKey = () => {
    key.replaceChildren(...colouring.key.map(([name, colour]) => el("li", null, el("i", { vars: { "--swatch": colour } }), name)));
  };
  showKey();
  const available = Object.entries(COLOUR_BY).filter(([name]) => name === "aspect" || columns[name]?.some(isKnown));
  const button = (text, label, action) => el("button", { type: "button", class: "tool", "aria-label": label, onclick: action }, text);
  return panel({
    title: "Map of all latents", wide: true, className: "map-panel", file: `map_${dictionaries[position].name}`,
    about: ["Each point is a latent; points that lie together have similar directions in the language model’s space. Click a point to read its card. Distances between far groups mean little."],
    figure: () => map.figure(),
    rows: () => [["latent", "kind", "concept", "x", "y"], ...Array.from({ length: n }, (_, row) => [row, columns.kind[row], at(conceptTable, "id", columns.concept[row]), columns.x[row], columns.y[row]])],
  },
  el("div", { class: "controls" },
    dictionaries.length > 1 && choice("Dictionary", dictionaries.map((each, index) => [each.name, dictionaryLabel(index)]), dictionaries[position].name, (name) => { location.hash = makeRoute(["overview"], { d: name, by: by.value === "kind" ? "" : by.value }); }),
    choice("Colour by", available, by.value, (value) => {
      by.value = value;
      colouring = mapColouring(value, columns, conceptTable, atlas.index.aspects);
      showKey();
      map.redraw();
      replaceQuery({ by: value });
      announce(`Coloured by ${COLOUR_BY[value]}`);
    }),
    el("span", { class: "buttons" }, button("+", "Zoom in", () => map.zoomBy(1.6)), button("−", "Zoom out", () => map.zoomBy(1 / 1.6)), button("Reset", "Reset the map", () => map.reset()))),
  map.canvas, key);
}

function methodsPanel(overview, query) {
  const rows = overview.methods ?? [];
  if (rows.length === 0) return panel({ title: "Which method finds the proteins of a concept?", wide: true }, empty("This run has no scores of methods."));
  const metric = { value: query.get("metric") in METRICS ? query.get("metric") : "auc" };
  let all = query.get("all") === "1";
  const minor = rows.filter(isMinor).length;
  const figure = (width) => dotPlot(rows.filter((row) => all || !isMinor(row)).filter((row) => isKnown(row.scores[metric.value]?.value)).map((row) => ({ label: row.label, ...row.scores[metric.value], muted: row.floor, colour: SUPERVISION[row.supervision] })), { label: `${METRICS[metric.value]} of all methods on test proteins`, reference: metric.value === "auc" ? 0.5 : null, width });
  const holder = el("div");
  const draw = () => holder.replaceChildren(figureBox(figure, { max: 900 }));
  draw();
  return panel({
    title: "Which method finds the proteins of a concept?", wide: true, file: "methods", figure,
    about: ["Each method gives every test protein a score for every concept. ", term("floor", "Floors"), " are grey: a score near them is no finding. Methods use labels in different ways, so compare rows of one kind first."],
    rows: () => [["method", "label", "labels_used_for", "is_floor", ...Object.keys(METRICS).flatMap((name) => [name, `${name}_low`, `${name}_high`])], ...rows.map((row) => [row.method, row.label, row.supervision, row.floor, ...Object.keys(METRICS).flatMap((name) => ["value", "low", "high"].map((part) => row.scores[name]?.[part]))])],
  },
  el("div", { class: "controls" }, choice("Score", Object.entries(METRICS), metric.value, (value) => {
    metric.value = value;
    draw();
    replaceQuery({ metric: value });
  }), minor > 0 && tick(`with ${minor} variants and controls`, all, (value) => {
    all = value;
    draw();
    replaceQuery({ all: value ? "1" : "" });
  })),
  holder,
  el("ul", { class: "key" }, [...new Set(rows.map((row) => row.supervision))].filter((name) => name in SUPERVISION).map((name) => el("li", null, el("span", { class: `supervision supervision-${name}` }, name)))),
  el("details", { class: "more" }, el("summary", null, "All scores as a table"),
    plainTable([{ label: "Method" }, { label: "Labels used for", term: "supervision" }, { label: "AUC", number: true, term: "auc" }, { label: "AUPR", number: true, term: "aupr" }, { label: "Fmax", number: true, term: "fmax" }],
      rows.map((row) => ({ className: row.floor ? "floor" : "", cells: [[row.label, row.floor && el("span", { class: "tag" }, "floor")], el("span", { class: `supervision supervision-${row.supervision}` }, row.supervision), ...Object.keys(METRICS).map((name) => score(row.scores[name]?.value, row.scores[name]))] })), { label: "Scores of all methods" })));
}

function differencesPanel(overview) {
  const rows = overview.differences ?? [];
  if (rows.length === 0) return null;
  const cell = (each) => el("span", { class: "score" }, el("b", null, signed(each?.value)), el("small", null, interval(each?.low, each?.high, signed)));
  return panel({
    title: "Is one method better than another?", wide: true, file: "differences",
    about: "Both methods are scored on the same resampled test proteins and the difference is taken each time. If the interval holds 0, the difference is not significant on this test set.",
    rows: () => [["first", "second", ...Object.keys(METRICS).flatMap((name) => [name, `${name}_low`, `${name}_high`]), "verdict"], ...rows.map((row) => [row.first, row.second, ...Object.keys(METRICS).flatMap((name) => ["value", "low", "high"].map((part) => row.scores[name]?.[part])), row.verdict])],
  }, tableOf(rows.slice(0, 6)), rows.length > 6 && el("details", { class: "more" }, el("summary", null, `${rows.length - 6} more pairs`), tableOf(rows.slice(6))));

  function tableOf(shown) {
    return plainTable([{ label: "Methods" }, { label: "AUC", number: true, term: "auc" }, { label: "AUPR", number: true, term: "aupr" }, { label: "Fmax", number: true, term: "fmax" }, { label: "By AUC, the first one is" }],
      shown.map((row) => [[row.first, el("small", null, `minus ${row.second}`)], ...Object.keys(METRICS).map((name) => cell(row.scores[name])), el("span", { class: `verdict verdict-${String(row.verdict).split(" ")[0]}` }, row.verdict)]), { label: "Paired differences" });
  }
}

function curvesPanel(overview, query) {
  const curves = overview.curves ?? [];
  if (curves.length === 0) return panel({ title: "Training" }, empty("This run has no training curves."));
  const names = [...new Set(curves.map((curve) => curve.term))];
  const chosen = { value: names.includes(query.get("curve")) ? query.get("curve") : names.includes("fve") ? "fve" : names[0] };
  const figure = (width) => lineChart(curves.filter((curve) => curve.term === chosen.value).map((curve) => {
    const position = atlas.index.dictionaries.findIndex((each) => each.name === curve.dictionary);
    const both = curves.some((other) => other.term === curve.term && other.dictionary === curve.dictionary && other.split !== curve.split);
    return { label: `${dictionaryLabel(position) || curve.dictionary}${both ? ` ${curve.split}` : ""}`, colour: dictionaryColour(Math.max(position, 0)), dash: both && curve.split !== "train" ? [5, 3] : undefined, x: curve.step, y: curve.value };
  }), { label: `Training curve: ${chosen.value}`, xLabel: "training step", yLabel: chosen.value, width });
  const holder = el("div", null, figureBox(figure));
  return panel({ title: "Training", file: "training_curves", figure, rows: () => [["dictionary", "term", "split", "step", "value"], ...curves.flatMap((curve) => curve.step.map((step, index) => [curve.dictionary, curve.term, curve.split, step, curve.value[index]]))] },
    el("div", { class: "controls" }, choice("Quantity", names.map((name) => [name, name]), chosen.value, (value) => {
      chosen.value = value;
      holder.replaceChildren(figureBox(figure));
      replaceQuery({ curve: value });
    })), holder);
}

function densityPanel(overview) {
  const rows = table(overview.density);
  if (rows.n === 0) return panel({ title: "How often latents are active" }, empty("This run has no densities."));
  const { dictionary, kind, low, high, n } = rows.columns;
  const edges = [...new Set([...low, ...high].filter(isKnown))].sort((a, b) => a - b);
  const groups = atlas.index.dictionaries.map((each, position) => ({
    label: dictionaryLabel(position), colour: dictionaryColour(position), edges,
    counts: edges.slice(0, -1).map((edge) => dictionary.reduce((sum, name, row) => sum + (name === each.name && low[row] === edge ? n[row] : 0), 0)),
  }));
  const figure = (width) => histogram(groups, { width, label: "Number of latents by density", xLabel: "share of residues at which a latent is active", format: (value) => percent(10 ** value) });
  const dead = dictionary.reduce((sum, name, row) => sum + (low[row] === null ? n[row] : 0), 0);
  return panel({ title: "How often latents are active", file: "density", figure, about: [term("density"), ` of all latents. ${integer(dead)} are never active and not shown.`], rows: () => [["dictionary", "kind", "log10_low", "log10_high", "n_latents"], ...dictionary.map((name, row) => [name, kind[row], low[row], high[row], n[row]])] }, figureBox(figure));
}

function missingPanel(overview) {
  const rows = (overview.missing_check ?? []).filter((row) => row.stratum === "all" && /precision/.test(row.metric));
  if (rows.length === 0) return null;
  return panel({
    title: "Can it find annotations that are missing?", wide: true, file: "missing_check",
    about: [`${integer(rows[0].n_hidden)} annotations were hidden, and the most probable pairs of a protein and a concept without annotation were looked at: how many of them are hidden ones? The `, term("floor", "floor"), " is the share among all pairs. Candidates are on the page of each concept."],
    rows: () => recordRows(overview.missing_check),
  }, plainTable([{ label: "Method" }, { label: "Labels used for", term: "supervision" }, { label: "Among the top", number: true }, { label: "Share of hidden ones", number: true }],
    rows.map((row) => [(overview.methods ?? []).find((each) => each.method === row.method)?.label ?? words(row.method), el("span", { class: `supervision supervision-${row.supervision}` }, row.supervision), integer(row.n_top), score(row.value, row)]), { label: "Hidden annotations found" }));
}

export async function overviewPage({ query }) {
  const overview = await load("overview");
  const map = el("section", { class: "panel wide map-panel map-wait" }, el("h2", null, "Map of all latents"), el("p", { class: "empty" }, "It is loaded when you scroll to it."));
  // The map's data are larger than all the rest of the page: they are loaded when the reader comes near.
  const near = new IntersectionObserver(async (entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    near.disconnect();
    map.lastChild.replaceWith(el("p", { class: "loading" }, "Loading …"));
    map.replaceWith(await mapPanel(query).catch((error) => panel({ title: "Map of all latents", wide: true }, empty(error.message))));
  }, { threshold: 0.3 });
  near.observe(map);
  const { index } = atlas;
  const start = (href, title, text) => el("a", { class: "start", href }, el("b", null, title), el("span", null, text));
  const subject = index.dictionaries.findIndex((each) => each.name === index.subject);
  const hero = el("div", { class: "hero" }, el("div", { class: "page" },
    el("h1", null, index.title || "What a protein language model has learnt, latent by latent"),
    overview.result && el("p", { class: "lead" }, overview.result),
    el("ul", { class: "facts" }, [["Language model", index.plm?.name], ["Hook point", index.dictionaries[0]?.hook_point], ...index.dictionaries.map((each, position) => [dictionaryLabel(position), `${integer(each.n_latents)} latents${each.k ? `, k = ${each.k}` : ""}`])].filter(([, value]) => value).map(([label, value]) => el("li", null, el("span", null, label), " ", value))),
    el("div", { class: "tiles" },
      tile(integer(index.counts.proteins), "proteins", Object.entries(index.splits ?? {}).map(([name, n]) => `${integer(n)} ${name}`).join(" / ")),
      tile(integer(index.counts.concepts), "concepts"),
      tile(integer(index.dictionaries.reduce((sum, each) => sum + each.n_latents, 0)), `latents in ${index.dictionaries.length === 1 ? "one dictionary" : `${index.dictionaries.length} dictionaries`}`, subject >= 0 ? `${integer(index.dictionaries[subject].n_defined)} of ${dictionaryLabel(subject)} tied to a concept before training` : null),
      tile(fixed(index.dictionaries[Math.max(subject, 0)]?.fve), "variance explained", `by ${dictionaryLabel(Math.max(subject, 0))}`))));
  const node = el("div", null, hero, el("div", { class: "page" },
    index.dictionaries.length === 0 && notice("This run has no dictionary."),
    el("nav", { class: "starts", "aria-label": "Where to start" },
      start("#/latents?above=0.1&sort=lift&dir=desc", "Latents worth a look", "those whose F1 is furthest above its floor"),
      start("#/concepts", "Concepts", "which latent stands for a term, and how well"),
      start("#/proteins", "Proteins", "what is active along one sequence"),
      start("#/compare", "Compare", "two latents, or two dictionaries term by term")),
    panelGrid(map, methodsPanel(overview, query), differencesPanel(overview), curvesPanel(overview, query), densityPanel(overview), missingPanel(overview),
      panel({ title: "Dictionaries", wide: true, file: "dictionaries", rows: () => [["dictionary", "architecture", "latents", "defined", "k", "fve", "l0", "seed", "sha256"], ...index.dictionaries.map((each) => [each.name, each.architecture, each.n_latents, each.n_defined, each.k, each.fve, each.l0, each.seed, each.sha256])] },
        plainTable([{ label: "Dictionary", term: "dictionary" }, { label: "Latents", number: true, term: "latent" }, { label: "Tied to a concept", number: true, term: "defined" }, { label: "k", number: true }, { label: "Variance explained", number: true, term: "fve" }, { label: "Active per residue", number: true, term: "l0" }, { label: "Seed", number: true }],
          index.dictionaries.map((each, position) => [[el("a", { href: makeRoute(["latents"], { d: each.name }) }, dictionaryLabel(position)), el("small", null, each.architecture)], integer(each.n_latents), integer(each.n_defined), each.k ?? "–", fixed(each.fve), fixed(each.l0, 1), each.seed ?? "–"]), { label: "Dictionaries" })))));
  return { title: "Overview", node, bare: true };
}
