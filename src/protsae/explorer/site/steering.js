// What the pipeline `steering` designed, and the arms of a benchmark side by side.
import { CHANGED, KEPT, SIGNS, designStates, fastaEntry, stateLines, substitutions, writtenMost } from "./alignment.js";
import { armsView } from "./arms.js";
import { atlas, at, conceptLink, concepts, dictionaryLabel, latentLabel, latentName, proteinHref } from "./atlas.js";
import { el } from "./dom.js";
import { anyValue, fixed, integer, isIndex, isKnown, percent, plural, signedSignificant, significant } from "./format.js";
import { term } from "./glossary.js";
import { listPage } from "./lists.js";
import { choice, empty, meter, notice, pairs, panel, panelGrid, plainTable, recordRows } from "./panel.js";
import { makeRoute } from "./route.js";
import { textTest } from "./select.js";
import { load, loadEntry, table } from "./store.js";

const MAKE = ["To design sequences in which a concept is turned up: ", el("code", null, 'kedro run --pipelines steering --params "steering.concepts=[GO:0003677]"'), ", then ", el("code", null, "kedro run --pipelines explorer"), "."];
const CIRCULAR = "Target scores are mean activations by the model and the dictionary that made the design. They are circular: a high score is no evidence that the design has the concept.";
const COLUMNS = ["id", "target", "sample", "scale", "mode", "seed", "length", "n_masked", "n_mutations", "identity", "confidence", "pseudo_perplexity", "original_pseudo_perplexity", "target_score", "original_target_score", "off_target_change"];

const designHref = (row) => makeRoute(["steering", String(row)]);
const beforeAfter = (before, after, show = significant) => `${show(before)} → ${show(after)}`;

async function designs() {
  const about = await load("steering");
  const { columns, n } = table(about.designs);
  const conceptTable = await concepts();
  const targetName = (row) => (isIndex(columns.concept[row]) ? at(conceptTable, "name", columns.concept[row]) : isIndex(columns.latent[row]) && isIndex(about.dictionary) ? latentName(about.dictionary, conceptTable, columns.latent[row]) : columns.target[row]);
  return { about, columns, n, conceptTable, targetName };
}

function tabs(what) {
  const tab = (key, text) => el("a", { class: "segment", href: makeRoute(["steering"], { what: key }), "aria-current": key === what ? "page" : undefined }, text);
  return el("nav", { class: "segments", "aria-label": "What to show of steering" }, tab("", "Designs"), tab("arms", "Arms side by side"));
}

async function listView() {
  const { about, columns, n, targetName } = await designs();
  const texts = Array.from({ length: n }, (_, row) => `${columns.id[row]} ${columns.target[row]} ${targetName(row)}`.toLowerCase());
  const distinct = (name) => [...new Set(columns[name])];
  const gain = Array.from({ length: n }, (_, row) => columns.pseudo_perplexity[row] - columns.original_pseudo_perplexity[row]);
  const rise = Array.from({ length: n }, (_, row) => columns.target_score[row] - columns.original_target_score[row]);
  const page = listPage({
    title: "Steering", label: "designs", noun: "design", n, placeholder: "protein, concept or id",
    about: `Sequences in which a concept or a latent was turned up while the language model wrote masked residues anew.${about.n_all > n ? ` The first ${integer(n)} of ${integer(about.n_all)} designs; the pipeline’s table has all.` : ""}`,
    columns: [
      { key: "id", label: "Protein and target", sort: "id", className: "grow" },
      { key: "scale", label: "Scale", sort: "scale", className: "c-number", number: true },
      { key: "mutations", label: "Changes", sort: "n_mutations", className: "c-number", number: true, title: "Residues that differ from the original" },
      { key: "identity", label: "Identity", sort: "identity", className: "c-number", number: true },
      { key: "perplexity", label: "Perplexity", sort: "gain", className: "c-wide", number: true, title: "Pseudo-perplexity of the original and of the design; sorted by the difference" },
      { key: "score", label: "Target score", sort: "rise", className: "c-wide c-extra", number: true, title: `Sorted by the difference. ${CIRCULAR}` },
    ],
    cells: (row) => [
      [el("a", { href: designHref(row), class: "row-name" }, columns.id[row]), el("small", { class: "row-about" }, `${targetName(row)}${columns.sample[row] > 0 ? `, sample ${columns.sample[row] + 1}` : ""}`)],
      significant(columns.scale[row]),
      integer(columns.n_mutations[row]),
      [el("span", null, percent(columns.identity[row])), meter(columns.identity[row])],
      beforeAfter(columns.original_pseudo_perplexity[row], columns.pseudo_perplexity[row]),
      beforeAfter(columns.original_target_score[row], columns.target_score[row]),
    ],
    href: designHref,
    controls: (now, changed) => [
      distinct("target").length > 1 && choice("Target", [["", "any"], ...distinct("target").map((value) => [value, `${targetName(columns.target.indexOf(value))}`.slice(0, 50)])], now.get("target"), changed("target")),
      distinct("scale").length > 1 && choice("Scale", [["", "any"], ...distinct("scale").sort((a, b) => a - b).map((value) => [String(value), significant(value)])], now.get("scale"), changed("scale")),
    ],
    tests: (now) => [
      now.get("target") && ((row) => columns.target[row] === now.get("target")),
      now.get("scale") && ((row) => String(columns.scale[row]) === now.get("scale")),
      textTest(texts, now.get("q") ?? ""),
    ].filter(Boolean),
    values: (sort) => ({ gain, rise })[sort] ?? columns[sort],
    first: { sort: "", descending: false },
    tsv: { names: COLUMNS, row: (row) => COLUMNS.map((name) => columns[name][row]) },
  });
  page.node.querySelector(".intro").after(tabs(""), notice(el("b", null, "Circular. "), CIRCULAR, " Use a judge that shares nothing with the steered model."));
  return page;
}

/** Original and design below each other. Changes are marked by a dot, a frame and weight, not by colour alone. */
function alignmentBlock(entry, name) {
  const states = designStates(entry.original, entry.design, entry.masked);
  const perLine = innerWidth < 640 ? 20 : innerWidth < 1100 ? 50 : 100;
  const row = (sequence, parts, label, which) => el("div", { class: "aligned-row" }, el("span", { class: "aligned-name", "aria-hidden": "true" }, label),
    el("span", null, parts.map(({ state, from, to }) => (state === KEPT ? sequence.slice(from, to) : el("span", { class: `is-${state} ${which}`, "data-tip": state === CHANGED ? `${entry.original[from]}${from + 1}${entry.design[from]}` : null }, sequence.slice(from, to))))));
  return el("div", { class: "aligned", role: "group", "aria-label": `${name}, original above design. The table of changes says the same.` }, stateLines(states, perLine).map(({ start, parts }) => el("div", { class: "aligned-block" },
    el("span", { class: "edge", "aria-hidden": "true" }, start + 1),
    row(entry.original, parts, "original", "before"),
    el("div", { class: "aligned-row signs", "aria-hidden": "true" }, el("span", { class: "aligned-name" }), el("span", null, parts.map(({ state, from, to }) => SIGNS[state].repeat(to - from)))),
    row(entry.design, parts, "design", "after"))));
}

async function designView(row) {
  const { about, columns, n, conceptTable, targetName } = atlas.index.has?.steering ? await designs() : { n: 0 };
  const entry = row < n ? await loadEntry("steering", row, atlas.index.chunk.design) : null;
  if (!entry) return { title: "Steering", node: el("div", null, el("h1", null, "No such design"), el("p", null, el("a", { href: "#/steering" }, "All designs"))) };
  const value = (name) => columns[name][row];
  const name = targetName(row);
  const changes = substitutions(entry.original, entry.design);
  const stem = `${value("id")}_${value("target")}_${value("sample")}`.replace(/\W+/g, "_");
  const siblings = Array.from({ length: n }, (_, other) => other).filter((other) => columns.id[other] === value("id"));
  const target = () => isIndex(value("concept")) ? conceptLink(conceptTable, value("concept")) : isIndex(value("latent")) && isIndex(about.dictionary) ? latentLabel(about.dictionary, conceptTable, value("latent")) : value("target");
  const fasta = () => `${fastaEntry(`${value("id")} original`, entry.original)}${fastaEntry(`${value("id")} ${value("target")} scale ${value("scale")} sample ${value("sample")}`, entry.design)}`;
  const scores = [
    ["Target score", "original_target_score", "target_score", "circular"],
    ["Pseudo-perplexity", "original_pseudo_perplexity", "pseudo_perplexity", "perplexity"],
  ];
  const key = (sign, text) => el("li", null, el("code", { "aria-hidden": "true" }, sign), ` ${text}`);
  return {
    title: `${value("id")}, ${name}`,
    node: el("div", null,
      el("header", { class: "page-head" }, el("p", { class: "crumbs" }, el("a", { href: "#/steering" }, "Steering"), ` / ${value("id")}`), el("h1", null, value("id"), " towards ", name),
        el("p", { class: "tags" }, el("span", null, target()), isIndex(value("protein")) ? el("a", { href: proteinHref(value("id")) }, "page of the protein") : el("span", null, "not a protein of this run"), el("span", null, plural(changes.length, "change")), el("span", null, `${percent(value("identity"))} identical`)),
        el("nav", { class: "segments", "aria-label": "Neighbouring designs" }, row > 0 && el("a", { class: "segment", href: designHref(row - 1) }, "← previous"), row + 1 < n && el("a", { class: "segment", href: designHref(row + 1) }, "next →"))),
      panelGrid(
        panel({ title: "Original and design", wide: true, file: `${stem}_sequences`, fasta, rows: () => [["id", "target", "scale", "sample", "which", "sequence"], ...["original", "design"].map((which) => [value("id"), value("target"), value("scale"), value("sample"), which, entry[which]])], about: `${plural(entry.masked.length, "residue")} of ${integer(entry.original.length)} were masked and written anew; ${integer(changes.length)} came out different. The others could not change.` },
          el("ul", { class: "map-key" }, key("●", "changed"), key(":", "masked, written as it was"), key("\u00a0", "not masked")),
          el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Alignment" }, alignmentBlock(entry, value("id")))),
        panel({ title: "Scores before and after", file: `${stem}_scores`, rows: () => [["score", "original", "design"], ["plddt", columns.original_plddt?.[row], columns.plddt?.[row]], ["tm_score", null, columns.tm_score?.[row]], ...scores.map(([, before, after]) => [after, value(before), value(after)])] },
          plainTable([{ label: "Score" }, { label: "Original", number: true }, { label: "Design", number: true }, { label: "Change", number: true }], scores.map(([label, before, after, word]) => [term(word, label), significant(value(before)), significant(value(after)), signedSignificant(value(after) - value(before))]), { label: "Scores before and after" }),
          notice(el("b", null, "Circular. "), CIRCULAR),
          pairs([["Pseudo-perplexity by", about.perplexity_by.join(", ")], ["Mean change of all other latents", significant(value("off_target_change"))], ["Mean log-probability of what was written", fixed(value("confidence"))], ["Written most often", writtenMost(entry)], ["Confidence of the structure (pLDDT), original → design", isKnown(columns.plddt?.[row]) ? beforeAfter(value("original_plddt"), value("plddt")) : null], ["TM-score to the original’s structure", isKnown(columns.tm_score?.[row]) ? fixed(value("tm_score")) : null]])),
        panel({ title: "How it was made" }, pairs([["Target", target()], ["Dictionary", isIndex(about.dictionary) ? dictionaryLabel(about.dictionary) : "none of this run"], ["Scale", significant(value("scale"))], ["Mode", value("mode")], ["Sample", value("sample") + 1], ["Seed", value("seed")], ["Positions", about.settings?.positions?.strategy], ["Rounds", anyValue(about.settings?.decoding?.rounds)], ["Temperature", anyValue(about.settings?.decoding?.temperature)], ["Error added back", anyValue(about.settings?.keep_error)]])),
        panel({ title: "Changes", className: "tall", file: `${stem}_changes`, rows: changes.length > 0 ? () => [["residue", "original", "design"], ...changes.map(({ at: place, from, to }) => [place + 1, from, to])] : undefined },
          changes.length > 0 ? plainTable([{ label: "Residue", number: true }, { label: "Original" }, { label: "Design" }], changes.map(({ at: place, from, to }) => [place + 1, from, to]), { label: "Changes" }) : empty("The design is the original.")),
        siblings.length > 1 && panel({ title: "Other designs of this protein", className: "tall", file: `${stem}_designs`, rows: () => recordRows(siblings.map((other) => Object.fromEntries(COLUMNS.map((column) => [column, columns[column][other]])))) },
          plainTable([{ label: "Target" }, { label: "Scale", number: true }, { label: "Changes", number: true }, { label: "Perplexity", number: true }], siblings.map((other) => [other === row ? el("b", null, targetName(other), " (this one)") : el("a", { href: designHref(other) }, targetName(other), columns.sample[other] > 0 && `, sample ${columns.sample[other] + 1}`), significant(columns.scale[other]), integer(columns.n_mutations[other]), significant(columns.pseudo_perplexity[other])]), { label: "Designs of this protein" })))),
  };
}

export async function steeringPage({ path, query }) {
  const { has } = atlas.index;
  if (path[1] !== undefined) return designView(/^\d+$/.test(path[1]) ? Number(path[1]) : Infinity);
  if (query.get("what") !== "arms" && has?.steering) return listView();
  const isArms = query.get("what") === "arms";
  const head = [el("h1", null, "Steering"), el("p", { class: "intro" }, isArms ? "Ways to steer, judged side by side on proteins that were not used to choose their strength." : "Sequences in which a concept is turned up."), tabs(isArms ? "arms" : "")];
  return { title: "Steering", node: el("div", null, head, isArms ? await armsView(query) : [empty("Nothing was steered in this run."), notice(MAKE)]) };
}
