// The lists of latents, concepts and proteins: search, sort, filters that combine, rows only where they are seen.
import { atlas, at, allDescriptions, allSentences, bestConcept, concepts, conceptHref, dictionaryLabel, latentHref, latentName, latents, proteinHref, proteins } from "./atlas.js";
import { attributedNotice } from "./attribution.js";
import { el } from "./dom.js";
import { fixed, isKnown, integer, percent, toTsv, isIndex } from "./format.js";
import { aspectChip, choice, meter, notice, saveFile } from "./panel.js";
import { parseRoute, replaceQuery } from "./route.js";
import { rowList } from "./rows.js";
import { DENSITY_BANDS, latentTests, selectRows, sortRows, textTest } from "./select.js";

const FEW_PROTEINS = 8192; // descriptions of more are loaded when the reader begins to work with the list

/** A list with its controls. `tests(query)` are the filters, `values(sort)` the column to sort by. */
export function listPage({ title, about, label, noun, n, columns, cells, href, controls, tests, values, first, tsv, placeholder }) {
  const { query } = parseRoute(location.hash);
  const state = { rows: new Int32Array(0) };
  const list = rowList({ label, columns, cells, href, noun, onSort: (sort) => {
    const now = parseRoute(location.hash).query;
    const present = now.get("sort") ?? first.sort;
    const descending = (now.get("dir") ?? (first.descending ? "desc" : "asc")) === "desc";
    const numbers = columns.find((column) => column.sort === sort).number;
    replaceQuery({ sort, dir: (sort === present ? !descending : numbers) ? "desc" : "asc" });
    update();
  } });
  const none = el("p", { class: "empty", hidden: true }, "Nothing matches all filters. ", el("button", { type: "button", class: "tool", onclick: () => { location.hash = location.hash.split("?")[0]; } }, "Clear the filters"));
  const update = () => {
    const now = parseRoute(location.hash).query;
    const started = performance.now();
    const rows = selectRows(n, tests(now));
    const sort = now.get("sort") ?? first.sort;
    const descending = (now.get("dir") ?? (first.descending ? "desc" : "asc")) === "desc";
    const column = values(sort);
    state.rows = column ? sortRows(rows, column, descending) : rows;
    list.node.dataset.milliseconds = (performance.now() - started).toFixed(1); // read by benchmarks/explorer.py
    list.show(state.rows, n, sort, descending);
    none.hidden = rows.length > 0;
    list.node.hidden = rows.length === 0;
  };
  const change = (key) => (value) => {
    replaceQuery({ [key]: value });
    update();
  };
  const search = el("input", { type: "search", placeholder, "aria-label": `Search ${label}`, value: query.get("q") ?? "", oninput: (event) => change("q")(event.target.value) });
  const node = el("div", null, el("h1", null, title), el("p", { class: "intro" }, about),
    el("div", { class: "controls filters", role: "search", "aria-label": `Filter ${label}` }, el("label", { class: "choice grow" }, el("span", null, "Search"), search), controls(query, change)),
    el("div", { class: "list-head" }, list.count, el("button", { type: "button", class: "tool", "aria-label": "Save these rows as TSV", onclick: () => saveFile(`${label}.tsv`, new Blob([toTsv([tsv.names, ...Array.from(state.rows, tsv.row)])])) }, "TSV")),
    none, list.node);
  // The height of the list is known once it is in the page.
  return { title, node, ready: update, stop: list.stop, refresh: () => list.refresh(), update };
}

const any = (values, text = "any") => [["", text], ...values];

function distinct(values) {
  return [...new Set((values ?? []).filter((value) => isKnown(value) && value !== ""))].sort();
}

export async function latentsPage({ query }) {
  const { dictionaries, aspects } = atlas.index;
  const position = Math.max(dictionaries.findIndex((each) => each.name === (query.get("d") ?? atlas.index.subject)), 0);
  const [tableOf, conceptTable] = await Promise.all([latents(position), concepts()]);
  const { columns, n } = tableOf;
  const names = Array.from({ length: n }, (_, row) => latentName(position, conceptTable, row));
  const texts = names.map((name, row) => `${row} ${name} ${at(conceptTable, "id", columns.concept[row]) ?? ""} ${at(conceptTable, "name", columns.concept[row]) ?? ""}`.toLowerCase());
  let sentences = null;
  const lift = Array.from({ length: n }, (_, row) => (isKnown(columns.f1?.[row]) && isKnown(columns.floor?.[row]) ? columns.f1[row] - columns.floor[row] : null));
  const page = listPage({
    title: "Latents", label: "latents", noun: "latent", n, placeholder: "sentence, concept, GO id or number",
    about: "Every unit of a dictionary, with the concept it agrees with best. The line in a bar is the floor: what saying “yes” to every protein reaches. A bar that ends near its floor is no finding.",
    columns: [
      { key: "latent", label: "Latent", sort: "latent", className: "grow" },
      { key: "kind", label: "Kind", sort: "kind", className: "c-kind" },
      { key: "f1", label: "F1, test", sort: "lift", className: "c-score", number: true, title: "Sorted by how far F1 is above its floor" },
      { key: "density", label: "Density", sort: "density", className: "c-number", number: true },
      { key: "shape", label: "Shape", sort: "shape", className: "c-shape" },
      { key: "confidence", label: "Trust", title: "How far to trust the sentence", sort: "confidence", className: "c-shape" },
    ],
    cells: (row) => {
      const concept = columns.concept[row];
      const best = bestConcept(tableOf, row);
      const defined = columns.kind[row] === "defined";
      const sentence = sentences?.[row];
      return [
        [el("a", { href: latentHref(position, row), class: "row-name" }, names[row]), el("small", { class: "row-about" }, sentence || (isIndex(concept) ? `${defined ? `${at(conceptTable, "id", concept)}${isIndex(best) && best !== concept ? `; agrees best with ${at(conceptTable, "name", best)}` : ""}` : `agrees best with ${at(conceptTable, "name", concept)}`}` : "no concept found"))],
        [columns.kind[row], isIndex(concept) && aspectChip(at(conceptTable, "aspect", concept), aspects)],
        isKnown(columns.f1?.[row]) ? [el("span", null, fixed(columns.f1[row], 2)), meter(columns.f1[row], columns.floor?.[row], `F1 ${fixed(columns.f1[row])} for ${at(conceptTable, "name", best)}, floor ${fixed(columns.floor?.[row])}`)] : "–",
        percent(columns.density?.[row]),
        columns.shape?.[row] || "–",
        columns.confidence?.[row] || "–",
      ];
    },
    href: (row) => latentHref(position, row),
    controls: (now, change) => [
      dictionaries.length > 1 && choice("Dictionary", dictionaries.map((each, index) => [each.name, dictionaryLabel(index)]), dictionaries[position].name, (value) => {
        replaceQuery({ d: value });
        dispatchEvent(new Event("hashchange"));
      }),
      choice("Kind", any([["defined", "defined"], ["free", "free"]]), now.get("kind"), change("kind")),
      choice("Aspect", any(Object.entries(aspects).map(([code, each]) => [code, each.name])), now.get("aspect"), change("aspect")),
      choice("F1 above floor", any([["0.05", "by 0.05"], ["0.1", "by 0.1"], ["0.2", "by 0.2"], ["0.4", "by 0.4"]]), now.get("above"), change("above")),
      choice("Density", any(Object.entries(DENSITY_BANDS).map(([key, [text]]) => [key, text])), now.get("density"), change("density")),
      distinct(columns.shape).length > 1 && choice("Shape", any(distinct(columns.shape).map((value) => [value, value])), now.get("shape"), change("shape")),
      distinct(columns.confidence).length > 1 && choice("Trust in sentence", any(distinct(columns.confidence).map((value) => [value, value])), now.get("confidence"), change("confidence")),
      ["family", "topic", "concept"].filter((key) => now.get(key)).map((key) => {
        const clear = el("button", { type: "button", class: "chip", "aria-label": `Remove the filter: ${key} ${now.get(key)}`, onclick: () => {
          clear.remove();
          change(key)("");
        } }, `${key} ${now.get(key)} ✕`);
        return clear;
      }),
    ],
    tests: (now) => latentTests(columns, conceptTable, texts, now),
    values: (sort) => ({ latent: names, lift })[sort] ?? columns[sort],
    first: { sort: "", descending: false },
    tsv: { names: ["dictionary", "latent", "name", "kind", "concept_id", "f1_of", "f1_test", "floor", "density", "shape", "family", "topic", "sentence"], row: (row) => [dictionaries[position].name, row, names[row], columns.kind[row], at(conceptTable, "id", columns.concept[row]), at(conceptTable, "id", bestConcept(tableOf, row)), columns.f1?.[row], columns.floor?.[row], columns.density?.[row], columns.shape?.[row], columns.family?.[row], columns.topic?.[row], sentences?.[row]] },
  });
  whenLoaded(page, allSentences(position), texts, (all) => { sentences = all; });
  return page;
}

export async function conceptsPage() {
  const { dictionaries, aspects } = atlas.index;
  const { columns, n } = await concepts();
  const texts = Array.from({ length: n }, (_, row) => `${columns.id[row]} ${columns.name[row]}`.toLowerCase());
  const shown = dictionaries.map((_, position) => position).filter((position) => columns[`auc_${position}`] || columns[`f1_${position}`]).slice(0, 3);
  return listPage({
    title: "Concepts", label: "concepts", noun: "concept", n, placeholder: "name or id, such as zinc or GO:0008270",
    about: "Every term that the dictionaries were judged on. The score is the AUC of the best latent of a dictionary on test proteins: 0.5 is chance, 1 is perfect.",
    columns: [
      { key: "name", label: "Concept", sort: "name", className: "grow" },
      { key: "aspect", label: "Aspect", sort: "aspect", className: "c-kind" },
      { key: "n", label: "Test positives", sort: "n_test", className: "c-number", number: true },
      ...shown.map((position) => ({ key: `auc_${position}`, label: `AUC, ${dictionaryLabel(position)}`, sort: `auc_${position}`, className: "c-score", number: true })),
    ],
    cells: (row) => [
      [el("a", { href: conceptHref({ columns }, row), class: "row-name" }, columns.name[row] || columns.id[row]), el("small", { class: "row-about" }, columns.id[row], columns.level?.[row] === "residue" ? ", of residues" : "")],
      aspectChip(columns.aspect[row], aspects),
      integer(columns.n_test?.[row]),
      ...shown.map((position) => {
        const [value, low, high] = ["auc", "auc_low", "auc_high"].map((name) => columns[`${name}_${position}`]?.[row]);
        return isKnown(value) ? [el("span", null, fixed(value, 2)), meter(value, 0.5, `AUC ${fixed(value)}${isKnown(low) ? ` (${fixed(low)} to ${fixed(high)})` : ""}; chance is 0.5`)] : "–";
      }),
    ],
    href: (row) => conceptHref({ columns }, row),
    controls: (now, change) => [
      choice("Aspect", any(Object.entries(aspects).map(([code, each]) => [code, each.name])), now.get("aspect"), change("aspect")),
      new Set(columns.level).size > 1 && choice("Of", any([["protein", "whole proteins"], ["residue", "residues"]]), now.get("level"), change("level")),
      choice("Test positives", any([["10", "10 or more"], ["30", "30 or more"], ["100", "100 or more"]]), now.get("n"), change("n")),
    ],
    tests: (now) => [
      now.get("aspect") && ((row) => columns.aspect[row] === now.get("aspect")),
      now.get("level") && ((row) => columns.level[row] === now.get("level")),
      now.get("n") && ((row) => columns.n_test[row] >= Number(now.get("n"))),
      textTest(texts, now.get("q") ?? ""),
    ].filter(Boolean),
    values: (sort) => columns[sort],
    first: { sort: columns[`auc_${shown[0]}`] ? `auc_${shown[0]}` : "name", descending: Boolean(columns[`auc_${shown[0]}`]) },
    tsv: { names: Object.keys(columns).filter((name) => name !== "parents"), row: (row) => Object.keys(columns).filter((name) => name !== "parents").map((name) => columns[name][row]) },
  });
}

export async function proteinsPage() {
  const { columns, n } = await proteins();
  const texts = Array.from({ length: n }, (_, row) => `${columns.id[row]} ${columns.description?.[row] ?? ""}`.toLowerCase());
  let descriptions = columns.description ?? [];
  const page = listPage({
    title: "Proteins", label: "proteins", noun: "protein", n, placeholder: "accession or description",
    about: "Every protein of this run. Open one to see which latents are active along its sequence. Training proteins shaped the dictionaries; only test proteins tell how well they work.",
    columns: [
      { key: "id", label: "Protein", sort: "id", className: "grow" },
      { key: "split", label: "Split", sort: "split", className: "c-kind" },
      { key: "length", label: "Residues", sort: "length", className: "c-number", number: true },
      { key: "nearest", label: "Nearest", sort: "nearest_identity", className: "c-number c-last", number: true, title: "Identity to the most similar training protein" },
    ],
    cells: (row) => [
      [el("a", { href: proteinHref(columns.id[row]), class: "row-name" }, columns.id[row]), el("small", { class: "row-about" }, descriptions[row] ?? "")],
      columns.split?.[row] ?? "–",
      integer(columns.length?.[row]),
      isKnown(columns.nearest_identity?.[row]) ? percent(columns.nearest_identity[row]) : "–",
    ],
    href: (row) => proteinHref(columns.id[row]),
    controls: (now, change) => [
      choice("Split", any(distinct(columns.split).map((value) => [value, value])), now.get("split"), change("split")),
      choice("Residues", any([["0-100", "up to 100"], ["101-300", "101 to 300"], ["301-600", "301 to 600"], ["601-1000000", "more than 600"]]), now.get("length"), change("length")),
      columns.has_page?.includes(false) && choice("Page", any([["1", "has a page"]]), now.get("page"), change("page")),
    ],
    tests: (now) => {
      const [low, high] = (now.get("length") ?? "").split("-").map(Number);
      return [
        now.get("split") && ((row) => columns.split[row] === now.get("split")),
        now.get("page") && ((row) => columns.has_page[row]),
        high > 0 && ((row) => columns.length[row] >= low && columns.length[row] <= high),
        textTest(texts, now.get("q") ?? ""),
      ].filter(Boolean);
    },
    values: (sort) => columns[sort],
    first: { sort: "id", descending: false },
    tsv: { names: ["id", "description", "length", "split", "nearest_identity"], row: (row) => [columns.id[row], descriptions[row], ...["length", "split", "nearest_identity"].map((name) => columns[name]?.[row])] },
  });
  page.node.querySelector(".intro").after(...[await attributedNotice()].filter(Boolean));
  const load = () => whenLoaded(page, allDescriptions(), texts, (all) => { descriptions = all; });
  if (!columns.description && n <= FEW_PROTEINS) load();
  else if (!columns.description) page.node.addEventListener("focusin", load, { once: true }); // the first click or key
  return page;
}

/** Texts that come after the first paint: shown, and searched from then on. */
function whenLoaded(page, promise, texts, keep) {
  promise.then((all) => {
    keep(all);
    all.forEach((text, row) => { if (text) texts[row] += ` ${text.toLowerCase()}`; });
    if (!page.node.isConnected) return;
    if (parseRoute(location.hash).query.get("q")) page.update();
    else page.refresh();
  }, () => { page.node.prepend(notice("Some texts of this list could not be loaded; it works without them.")); });
}
