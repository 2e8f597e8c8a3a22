// One concept: the latents that stand for it in every dictionary, its place among broader and narrower terms, and what it may be missing from.
import { atlas, at, conceptEntry, conceptHref, concepts, dictionaryColour, latentLabel, latentLink, proteinLink, someProteins } from "./atlas.js";
import { dotPlot } from "./charts.js";
import { el, outward } from "./dom.js";
import { fixed, integer, interval, isKnown, percent, significant, words, anyValue, isIndex } from "./format.js";
import { term } from "./glossary.js";
import { layOut } from "./ontology.js";
import { aspectChip, empty, figureBox, isMinor, meter, pairs, panel, panelGrid, plainTable, recordRows, score, tick } from "./panel.js";
import { makeRoute, replaceQuery } from "./route.js";
import { load } from "./store.js";

/** The graph of a layout of ontology.js: boxes that are links, broadest at the top. */
function graphFigure(layout, table, concept, dictionaries) {
  const [wide, tall, gapX, gapY] = [208, 42, 16, 34];
  const widest = Math.max(...layout.layers.map((layer) => layer.length));
  const width = widest * (wide + gapX) + gapX;
  const height = layout.layers.length * (tall + gapY) - gapY + 16;
  const places = new Map();
  layout.layers.forEach((layer, row) => {
    const left = (width - layer.length * (wide + gapX) + gapX) / 2;
    layer.forEach((node, index) => places.set(node, [left + index * (wide + gapX), 8 + row * (tall + gapY)]));
  });
  return {
    width, height, label: `${at(table, "name", concept)} among its broader and narrower concepts`, links: true,
    draw(painter, colours) {
      for (const [parent, child] of layout.edges) {
        const [a, b] = [places.get(parent), places.get(child)];
        if (a && b) painter.line([[a[0] + wide / 2, a[1] + tall], [a[0] + wide / 2, a[1] + tall + gapY / 3], [b[0] + wide / 2, b[1] - gapY / 3], [b[0] + wide / 2, b[1]]], colours.muted, { width: 1.2 });
      }
      for (const [node, [x, y]] of places) {
        const name = at(table, "name", node) || at(table, "id", node);
        const best = dictionaries.map((_, position) => at(table, `auc_${position}`, node)).filter(isKnown);
        const own = node === concept;
        painter.rect(x, y, wide, tall, own ? colours.accent : colours.panel, { stroke: own ? colours.accent : colours.muted, radius: 8, tip: name, href: own ? undefined : conceptHref(table, node) });
        const fits = own ? 27 : 31;
        const short = name.length > fits ? `${name.slice(0, fits - 1)}…` : name;
        const ink = own ? colours.panel : colours.ink;
        painter.text(x + wide / 2, y + 18, short, ink, { size: 12, anchor: "middle", weight: own ? 650 : 400, href: own ? undefined : conceptHref(table, node), tip: name });
        painter.text(x + wide / 2, y + 34, best.length > 0 ? `best AUC ${fixed(Math.max(...best), 2)}` : "not scored", own ? ink : colours.muted, { size: 11, anchor: "middle" });
      }
    },
  };
}

function graphPanel(table, concept, stem) {
  const parents = table.columns.parents;
  if (!parents) return null;
  const layout = layOut(parents, concept);
  if (layout.layers.length === 1) return panel({ title: "Broader and narrower concepts", wide: true }, empty("No concept of this run is broader or narrower."));
  const figure = () => graphFigure(layout, table, concept, atlas.index.dictionaries);
  return panel({
    title: "Broader and narrower concepts", wide: true, file: `${stem}_graph`, figure,
    about: ["Broader above, narrower below; only concepts that this run has. ", layout.more > 0 && `${layout.more} more narrower concepts are not drawn.`],
    rows: () => [["broader", "narrower"], ...layout.edges.map(([a, b]) => [at(table, "id", a), at(table, "id", b)])],
  }, figureBox(figure));
}

export async function conceptPage({ path, query }) {
  const id = path[1];
  const { dictionaries, aspects } = atlas.index;
  const [table, proteinTable] = await Promise.all([concepts(), someProteins()]);
  const concept = table.columns.id.indexOf(id);
  if (concept < 0) return { title: "No such concept", node: el("div", null, el("h1", null, "No such concept"), empty(`This run was not judged on “${id}”. It may be too rare, or a synonym.`), el("p", null, el("a", { href: "#/concepts" }, "All concepts"))) };
  const entry = (await conceptEntry(concept)) ?? {};
  const name = at(table, "name", concept) || id;
  const rows = (entry.rows ?? []).map((row) => ({ ...row, latent: row.latent ?? (isIndex(row.dictionary) && row.method?.endsWith("_latent") ? at(table, `latent_${row.dictionary}`, concept) : null) })).sort((a, b) => (b.auc ?? -1) - (a.auc ?? -1));
  const stem = id.replace(/\W+/g, "_");
  let all = query.get("all") === "1";
  const shown = () => rows.filter((row) => all || !isMinor(row));
  const minor = rows.filter(isMinor).length;
  const figure = (width) => dotPlot(shown().filter((row) => isKnown(row.auc)).map((row) => ({ label: row.label ?? row.method, value: row.auc, low: row.auc_low, high: row.auc_high, muted: row.floor || !isIndex(row.dictionary), colour: isIndex(row.dictionary) ? dictionaryColour(row.dictionary) : undefined })), { label: `AUC of all methods for ${name}`, reference: 0.5, width });
  const who = (row) => [isIndex(row.dictionary) && isIndex(row.latent) ? latentLink(row.dictionary, row.latent, row.label ?? row.method) : (row.label ?? row.method), row.floor && el("span", { class: "tag" }, "floor"), isIndex(row.dictionary) && isIndex(row.latent) && el("small", null, `latent ${row.latent}`)];
  const missing = entry.missing ?? [];
  const pairsOf = dictionaries.map((_, position) => position).filter((position) => isIndex(at(table, `latent_${position}`, concept)));
  const head = el("header", { class: "page-head" },
    el("p", { class: "crumbs" }, el("a", { href: "#/concepts" }, "Concepts"), ` / ${id}`),
    el("h1", null, name),
    el("p", { class: "tags" }, aspectChip(at(table, "aspect", concept), aspects), el("span", null, aspects[at(table, "aspect", concept)]?.name), el("code", null, id), at(table, "level", concept) === "residue" && el("span", { class: "tag" }, "of residues"), id.startsWith("GO:") && outward("QuickGO", `https://www.ebi.ac.uk/QuickGO/term/${id}`), id.startsWith("GO:") && outward("AmiGO", `https://amigo.geneontology.org/amigo/term/${id}`), /^IPR\d+$/.test(id) && outward("InterPro", `https://www.ebi.ac.uk/interpro/entry/InterPro/${id}/`)),
    entry.definition && el("p", { class: "definition" }, entry.definition),
    el("p", { class: "actions" }, pairsOf.length > 1 && el("a", { class: "button", href: makeRoute(["compare"], { what: "latents", ...Object.fromEntries(pairsOf.slice(0, 2).map((position, index) => ["ab"[index], `${dictionaries[position].name}:${at(table, `latent_${position}`, concept)}`])) }) }, "Compare the best latents"), el("a", { class: "button", href: makeRoute(["latents"], { concept: id }) }, "Latents of this concept")));
  const holder = el("div");
  const scores = panel({
    title: "Who finds its proteins", wide: true, file: `${stem}_scores`, figure: rows.some((row) => isKnown(row.auc)) ? figure : undefined, rows: () => recordRows(rows),
    about: [`On ${integer(at(table, "n_test", concept))} test ${at(table, "level", concept) === "residue" ? "residues" : "proteins"} that have it`, isKnown(at(table, "prevalence", concept)) && [" (", term("prevalence", "prevalence"), ` ${percent(at(table, "prevalence", concept))})`], ". Thresholds and the choice of a latent use validation proteins only. The dashed line is chance."],
  },
  minor > 0 && el("div", { class: "controls" }, tick(`with ${minor} variants and controls`, all, (value) => {
    all = value;
    replaceQuery({ all: value ? "1" : "" });
    draw();
  })),
  holder);
  const scoreTable = () => plainTable([{ label: "Method" }, { label: "Labels used for", term: "supervision" }, { label: "AUC", number: true, term: "auc" }, { label: "AUPR", number: true, term: "aupr" }, { label: "F1", number: true, term: "f1" }, { label: "Threshold", number: true, term: "threshold" }, { label: "Gate", number: true, term: "gate" }],
    shown().map((row) => ({ className: row.floor ? "floor" : "", cells: [who(row), row.supervision ? el("span", { class: `supervision supervision-${row.supervision}` }, row.supervision) : "–", score(row.auc, { low: row.auc_low, high: row.auc_high }), score(row.aupr, { low: row.aupr_low, high: row.aupr_high }), score(row.f1, { floor: row.f1_floor }), significant(row.threshold), significant(row.gate)] })), { label: `Scores for ${name}` });
  function draw() {
    holder.replaceChildren(...(rows.length > 0 ? [rows.some((row) => isKnown(row.auc)) && figureBox(figure, { max: 900 }), scoreTable()].filter(Boolean) : [empty("This run has no scores for this concept.")]));
  }
  draw();
  const others = entry.latents ?? [];
  const checked = ((await load("overview")).missing_check ?? []).find((row) => row.stratum === "all" && row.metric === "precision_at_100" && row.method?.endsWith("_latent"));
  const check = Object.entries(entry.missing_check ?? {}).filter(([, value]) => isKnown(value) && typeof value !== "object");
  return {
    title: `${name} (${id})`,
    node: el("div", null, head, panelGrid(
      scores,
      graphPanel(table, concept, stem),
      panel({ title: "Its latents in every dictionary", className: "tall", file: `${stem}_latents`, rows: () => recordRows(others) },
        others.length > 0 ? plainTable([{ label: "Latent" }, { label: "F1, test", number: true, term: "f1" }, { label: "F1, validation", number: true }], others.map((each) => [[latentLabel(each.dictionary, table, each.latent), each.level && each.level !== "protein" && el("small", null, `${each.level}s`)], [score(each.f1_test, { floor: each.floor }), meter(each.f1_test, each.floor)], fixed(each.f1_validation)]), { label: "Latents" }) : empty("No latent agrees with this concept.")),
      panel({ title: "Predicted, not annotated", className: "tall", file: `${stem}_missing`, about: [term("missing", "Candidates"), " to look at, the most probable first.", checked && ` When labels were hidden on purpose, ${percent(checked.value)} (${interval(checked.low, checked.high, percent)}) of the 100 most probable pairs of all concepts were hidden ones; by chance ${percent(checked.floor)}.`], rows: missing.length > 0 ? () => recordRows(missing.map((each) => ({ protein_id: each.protein_id ?? at(proteinTable, "id", each.protein), ...each }))) : undefined },
        check.length > 0 && pairs(check.map(([label, value]) => [words(label), anyValue(value)])),
        missing.length > 0 ? plainTable([{ label: "Protein" }, { label: "Probability", number: true }, { label: "Evidence" }], missing.map((each) => [[proteinLink(proteinTable, each.protein, each.protein_id, isIndex(each.dictionary) && isIndex(each.latent) ? { latent: `${dictionaries[each.dictionary].name}:${each.latent}` } : undefined), el("small", null, each.description ?? at(proteinTable, "description", each.protein) ?? "")], [fixed(each.probability, 2), isKnown(each.threshold) && el("small", null, `threshold ${fixed(each.threshold, 2)}`)], each.evidence ?? "–"]), { label: "Proteins that may miss the annotation" }) : empty("No protein is predicted to have it without being annotated, or this run did not look.")))),
  };
}
