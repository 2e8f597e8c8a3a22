// Two latents on the same proteins, and two dictionaries concept by concept.
import { atlas, at, bestConcept, conceptHref, conceptLink, concepts, dictionaryColour, dictionaryLabel, latentCard, latentLink, latentName, latents, proteinEntry, proteinHref, sentenceOf, someProteins } from "./atlas.js";
import { scatter } from "./charts.js";
import { el } from "./dom.js";
import { fixed, interval, isKnown, percent, significant, signed, isIndex } from "./format.js";
import { term } from "./glossary.js";
import { choice, empty, figureBox, panel, panelGrid, plainTable, recordRows, score } from "./panel.js";
import { parseLatent } from "./protein.js";
import { trackOfWindows, unpackTrack } from "./residues.js";
import { makeRoute } from "./route.js";
import { trackFigure } from "./tracks.js";

/** A form for one latent: its dictionary and its number. */
function latentField(label, value, change) {
  const { dictionaries } = atlas.index;
  const select = el("select", { "aria-label": `${label}: dictionary` }, dictionaries.map((each, index) => el("option", { value: index }, dictionaryLabel(index))));
  const number = el("input", { type: "number", min: 0, inputmode: "numeric", "aria-label": `${label}: number of the latent` });
  select.value = value?.dictionary ?? 0;
  number.value = value?.latent ?? "";
  const send = () => { if (number.value !== "") change(`${dictionaries[select.value].name}:${number.value}`); };
  select.addEventListener("change", send);
  number.addEventListener("change", send);
  return el("fieldset", { class: "latent-field" }, el("legend", null, label), select, number);
}

async function latentsView(query, go) {
  const [a, b] = [parseLatent(query.get("a")), parseLatent(query.get("b"))];
  const { dictionaries } = atlas.index;
  const controls = el("div", { class: "controls" }, latentField("First latent", a, (value) => go({ a: value })), latentField("Second latent", b, (value) => go({ b: value })));
  const valid = (each) => each && isIndex(each.dictionary) && each.latent < dictionaries[each.dictionary].n_latents;
  if (!valid(a) || !valid(b)) return [controls, empty(valid(a) || valid(b) ? "Choose a second latent: its number is on its page and in the list of latents. The search (/) finds it." : "Choose two latents, of one dictionary or of two.")];
  const both = [a, b];
  const [conceptTable, proteinTable, tables, cards, sentences] = await Promise.all([concepts(), someProteins(), Promise.all(both.map((each) => latents(each.dictionary))), Promise.all(both.map((each) => latentCard(each.dictionary, each.latent))), Promise.all(both.map((each) => sentenceOf(each.dictionary, each.latent).catch(() => null)))]);
  const name = (which) => latentName(both[which].dictionary, conceptTable, both[which].latent);
  const value = (which, column) => at(tables[which], column, both[which].latent);
  const rows = [
    ["Dictionary", (which) => dictionaryLabel(both[which].dictionary)],
    ["Sentence", (which) => sentences[which] ?? "–"],
    ["Concept", (which) => conceptLink(conceptTable, value(which, "concept"))],
    [term("f1", "F1 on test proteins, best concept"), (which) => [score(value(which, "f1"), { floor: value(which, "floor") }), el("small", null, at(conceptTable, "name", bestConcept(tables[which], both[which].latent)) ?? "")]],
    [term("density"), (which) => percent(value(which, "density"))],
    [term("shape"), (which) => value(which, "shape") ?? "–"],
    ["Largest activation", (which) => significant(value(which, "max_act"))],
    ["Consensus", (which) => (cards[which]?.consensus ? el("code", null, cards[which].consensus) : "–")],
    ["Active at", (which) => cards[which]?.top_residues ?? "–"],
    ["Makes more likely", (which) => cards[which]?.promotes ?? "–"],
  ];
  const position = a.dictionary === b.dictionary ? (cards[0]?.neighbours ?? []).indexOf(b.latent) : -1;
  const cosine = position >= 0 ? cards[0].neighbour_cosines[position] : null;
  const side = panel({ title: "Next to each other", wide: true, file: "compare_latents", about: isKnown(cosine) ? `Their directions have cosine ${fixed(cosine, 2)}.` : null, rows: () => [["", "a", "b"], ...["kind", "f1", "floor", "density", "shape", "max_act"].map((column) => [column, value(0, column), value(1, column)])] },
    plainTable([{ label: "" }, { label: latentLink(a.dictionary, a.latent, name(0)) }, { label: latentLink(b.dictionary, b.latent, name(1)) }], rows.map(([label, make]) => [label, make(0), make(1)]), { label: "Two latents" }));
  // The proteins of both latents' windows, strongest first: three of each, five in all, so that the page stays below 1 MB.
  const windows = cards.flatMap((card) => card?.windows ?? []);
  const idOf = (protein) => windows.find((each) => each.protein === protein)?.protein_id ?? at(proteinTable, "id", protein);
  const descriptionOf = (protein) => windows.find((each) => each.protein === protein)?.description ?? at(proteinTable, "description", protein) ?? "";
  const wanted = [...new Set(cards.flatMap((card) => [...(card?.windows ?? [])].sort((x, y) => y.max_act - x.max_act).slice(0, 3).map((each) => each.protein)))].filter((index) => isIndex(index)).slice(0, 5);
  const entries = await Promise.all(wanted.map((index) => proteinEntry(index)));
  const trackOf = (which, protein, entry) => (entry.tracks ?? []).find((track) => track.dictionary === both[which].dictionary && track.latent === both[which].latent)
    ?? trackOfWindows((cards[which]?.windows ?? []).filter((each) => each.protein === protein), cards[which]?.max_act ?? value(which, "max_act"));
  const strips = wanted.map((protein, index) => ({ protein, entry: entries[index] })).filter(({ entry }) => entry);
  const proteinsPanel = panel({
    title: "On the same proteins", wide: true, file: "compare_on_proteins",
    about: ["The strongest proteins of either latent; darker is more active. The first latent is above. Where a protein’s page does not keep the latent, only the windows of its card are drawn; an empty line is one of which nothing is kept."],
    rows: () => [["protein", "residue", "a", "b"], ...strips.flatMap(({ protein, entry }) => {
      const arrays = both.map((_, which) => unpackTrack(trackOf(which, protein, entry) ?? { max: 0, runs: [] }, entry.sequence.length));
      return [...entry.sequence].map((_, residue) => [idOf(protein), residue + 1, arrays[0][residue], arrays[1][residue]]).filter((row) => row[2] > 0 || row[3] > 0);
    })],
  }, strips.length === 0 ? empty("No protein of their windows has a page in this run.") : strips.map(({ protein, entry }) => {
    const lines = both.map((each, which) => ({ label: `${"AB"[which]}: ${name(which)}`, colour: a.dictionary === b.dictionary ? dictionaryColour(which) : dictionaryColour(each.dictionary), track: trackOf(which, protein, entry) }));
    const id = idOf(protein);
    return el("div", { class: "pair" }, el("p", null, el("a", { href: proteinHref(id, { latent: query.get("a") }) }, id), " ", el("small", { class: "quiet" }, descriptionOf(protein))), figureBox((width) => trackFigure(lines, entry.sequence.length, width, `Both latents on ${id}`), { max: 1080 }));
  }));
  return [controls, panelGrid(side, proteinsPanel)];
}

async function dictionariesView(query, go) {
  const { dictionaries } = atlas.index;
  const place = (key, other) => {
    const found = dictionaries.findIndex((each) => each.name === query.get(key));
    return found >= 0 ? found : other;
  };
  const [a, b] = [place("a", Math.max(dictionaries.findIndex((each) => each.name === atlas.index.subject), 0)), place("b", Math.max(dictionaries.findIndex((each) => each.name === atlas.index.rival), 0))];
  const options = dictionaries.map((each, index) => [each.name, dictionaryLabel(index)]);
  const metric = { auc: "auc", aupr: "aupr", f1: "f1" }[query.get("metric")] ?? "auc";
  const controls = el("div", { class: "controls" }, choice("First", options, dictionaries[a].name, (value) => go({ a: value })), choice("Second", options, dictionaries[b].name, (value) => go({ b: value })), choice("Score", [["auc", "AUC"], ["aupr", "AUPR"], ["f1", "F1"]], metric, (value) => go({ metric: value })));
  if (dictionaries.length < 2) return [empty("This run has one dictionary; there is nothing to compare it with.")];
  const table = await concepts();
  const column = (name, position) => table.columns[`${name}_${position}`];
  const rows = [];
  for (let row = 0; row < table.n; row += 1) {
    const [x, y] = [column(metric, a)?.[row], column(metric, b)?.[row]];
    if (isKnown(x) && isKnown(y)) rows.push({ row, x, y, difference: x - y });
  }
  if (rows.length === 0) return [controls, empty("These two dictionaries share no scored concept.")];
  rows.sort((one, two) => two.difference - one.difference);
  const wins = rows.filter((each) => each.difference > 0).length;
  const mean = rows.reduce((sum, each) => sum + each.difference, 0) / rows.length;
  const colours = atlas.index.aspects;
  const figure = (width) => scatter(rows.map((each) => ({ x: each.y, y: each.x, label: `${table.columns.name[each.row]}: ${dictionaryLabel(a)} ${fixed(each.x)}, ${dictionaryLabel(b)} ${fixed(each.y)}`, href: conceptHref(table, each.row), colour: colours[table.columns.aspect[each.row]]?.colour })), { label: `${metric.toUpperCase()} of ${dictionaryLabel(a)} against ${dictionaryLabel(b)}, concept by concept`, xLabel: dictionaryLabel(b), yLabel: dictionaryLabel(a), size: width });
  const cell = (position, row, value) => [isIndex(at(table, `latent_${position}`, row)) ? latentLink(position, at(table, `latent_${position}`, row), fixed(value)) : fixed(value), el("small", null, interval(column(`${metric}_low`, position)?.[row], column(`${metric}_high`, position)?.[row]))];
  return [controls, panelGrid(
    panel({ title: "Concept by concept", file: `compare_${dictionaries[a].name}_${dictionaries[b].name}`, figure, about: [`One point per concept, on test proteins. Above the dashed line ${dictionaryLabel(a)} is better: ${wins} of ${rows.length} concepts; mean difference ${signed(mean)}. Single differences are often not significant; the overview has the paired test over all.`] }, figureBox(figure, { max: 470 }),
      el("ul", { class: "map-key" }, Object.values(colours).map((each) => el("li", null, el("i", { vars: { "--swatch": each.colour } }), each.name)))),
    panel({ title: "All concepts", file: `compare_table_${dictionaries[a].name}_${dictionaries[b].name}`, className: "tall", rows: () => recordRows(rows.map((each) => ({ concept_id: table.columns.id[each.row], name: table.columns.name[each.row], aspect: table.columns.aspect[each.row], [dictionaries[a].name]: each.x, [dictionaries[b].name]: each.y, difference: each.difference }))) },
      plainTable([{ label: "Concept" }, { label: dictionaryLabel(a), number: true, term: metric }, { label: dictionaryLabel(b), number: true, term: metric }, { label: "Difference", number: true }], rows.map((each) => [conceptLink(table, each.row), cell(a, each.row, each.x), cell(b, each.row, each.y), signed(each.difference)]), { label: "All concepts" })))];
}

export async function comparePage({ query }) {
  const what = query.get("what") === "latents" ? "latents" : "dictionaries";
  const go = (changes) => { location.hash = makeRoute(["compare"], { ...Object.fromEntries(query), what, ...changes }); };
  const tab = (key, text) => el("a", { class: "segment", href: makeRoute(["compare"], { what: key }), "aria-current": key === what ? "page" : undefined }, text);
  return {
    title: "Compare",
    node: el("div", null, el("h1", null, "Compare"), el("p", { class: "intro" }, what === "latents" ? "Two latents on the same proteins: do they say the same?" : "Two dictionaries, concept by concept: the best latent of each, on the same test proteins."), el("nav", { class: "segments", "aria-label": "What to compare" }, tab("dictionaries", "Dictionaries"), tab("latents", "Latents")), await (what === "latents" ? latentsView : dictionariesView)(query, go)),
  };
}
