// One latent: what it stands for, how far to trust that, where it is active, and what lies next to it.
import { atlas, at, conceptLink, concepts, dictionaryColour, dictionaryLabel, dictionaryPosition, latentCard, latentHref, latentLink, latentName, latents, proteinLink, sentenceOf, someProteins } from "./atlas.js";
import { LETTERS, histogram, logoFigure, stripsFigure } from "./charts.js";
import { el, outward } from "./dom.js";
import { anyValue, fixed, integer, isKnown, percent, significant, signed, isIndex } from "./format.js";
import { term } from "./glossary.js";
import { empty, figureBox, meter, pairs, panel, panelGrid, plainTable, recordRows, recordTable, score } from "./panel.js";
import { makeRoute, replaceQuery } from "./route.js";
import { residueRow } from "./strips.js";

const SCORES = { detection: "which proteins", fuzzing: "which residues", intruder: "the odd window" };

/** Amino acids with their effects from a text such as `C:+1.2 W:-0.4`. */
export function parseEffects(text) {
  return (text ?? "").split(/[\s,;]+/).map((part) => part.match(/^([A-Z]):?([+−-]?[\d.]+)$/)).filter(Boolean).map(([, letter, value]) => ({ letter, value: Number(value.replace("−", "-")) }));
}

/** The name of a level between the weakest (0) and the strongest (1) protein. */
export function levelName(quantile) {
  if (quantile >= 1) return "strongest";
  if (quantile <= 0) return "weakest";
  if (quantile === 0.5) return "middle";
  return `${Math.round(100 * quantile)} %`;
}

function sentencePanel(card, stem) {
  const explanations = card.explanations ?? [];
  if (explanations.length === 0) return panel({ title: "In a sentence", wide: true }, empty("This run wrote no sentence for this latent."));
  return panel({ title: "In a sentence", wide: true, className: "sentences", file: `${stem}_sentences`, rows: () => recordRows(explanations) },
    explanations.map((each) => el("div", { class: "sentence" },
      el("blockquote", null, each.sentence || "no sentence"),
      el("p", { class: "quiet" },
        each.is_generated ? `Written by a language model (${each.author}). ` : "Written by rules from the panels below. ",
        each.confidence && [term("confidence", "Confidence"), ": ", el("b", { class: `trust trust-${each.confidence}` }, each.confidence), ". "],
        isKnown(each.n_scored) && `Scored on ${integer(each.n_scored)} windows or proteins that were not used to write it.`),
      el("dl", { class: "stats" }, Object.entries(SCORES).filter(([name]) => isKnown(each[name])).map(([name, about]) => el("div", null, el("dt", null, term(name), el("small", null, ` tells ${about}`)), el("dd", null, fixed(each[name], 2), meter(each[name], each[`${name}_floor`], `${fixed(each[name])}, floor ${fixed(each[`${name}_floor`])}`), el("small", null, `floor ${fixed(each[`${name}_floor`], 2)}`))))))));
}

function trustPanel(card, conceptTable, stem) {
  const proteinsOf = (card.concepts ?? []).filter((each) => each.level !== "residue");
  const own = proteinsOf.find((each) => each.concept === card.concept);
  const best = card.best_concept_id ? conceptTable.columns.id.indexOf(card.best_concept_id) : (proteinsOf[0]?.concept ?? card.concept);
  const of = (concept) => el("small", null, at(conceptTable, "name", concept) ?? "");
  const facts = [
    [[term("f1", card.is_defined ? "F1, its own concept" : "F1, best concept"), of(card.concept)], score(own?.f1_test, { floor: own?.floor }), own?.f1_test, own?.floor],
    [[term("f1", "F1, best concept"), of(best)], score(card.f1_test, { floor: card.f1_test_always_on }), own && best === card.concept ? null : card.f1_test, card.f1_test_always_on],
    [[term("f1", "the same, on validation proteins")], fixed(card.f1_validation)],
    [[term("f1", "F1 on residues"), card.best_residue_concept_name && el("small", null, card.best_residue_concept_name)], score(card.residue_f1_test, { floor: card.residue_f1_always_on }), card.residue_f1_test, card.residue_f1_always_on],
    [term("monosemanticity"), score(card.monosemanticity), card.monosemanticity],
    [term("density", "Density, test proteins"), percent(card.density_test ?? card.density)],
    [term("activation", "Largest activation"), significant(card.max_act)],
    [term("shape"), card.shape],
    [term("dense"), card.dense_class],
  ];
  return panel({ title: "How far to trust it", file: `${stem}_scores`, rows: () => recordRows([Object.fromEntries(Object.entries(card).filter(([, value]) => typeof value !== "object"))]) },
    el("dl", { class: "stats" }, facts.filter((fact) => (fact.length > 2 ? isKnown(fact[2]) : isKnown(fact[1]) && fact[1] !== "–")).map(([label, value, number, line]) => el("div", null, el("dt", null, label), el("dd", null, value, isKnown(number) && meter(number, line))))),
    !isKnown(own?.f1_test ?? card.f1_test) && empty("No concept was found for this latent, so it has no score."));
}

function stripsPanel(card, position, proteinTable, query, stem) {
  const windows = card.windows ?? [];
  if (windows.length === 0) return panel({ title: "Where it is active", wide: true }, empty(isKnown(card.max_act) && card.max_act === 0 ? "This latent is never active in this run." : "This run kept no windows of this latent."));
  const levels = [...new Set(windows.map((each) => each.quantile ?? 1))].sort((a, b) => b - a);
  let level = levels.find((each) => String(each) === query.get("level")) ?? levels[0];
  const full = Math.max(...windows.map((each) => each.max_act ?? 0), card.max_act ?? 0);
  const of = () => windows.filter((each) => (each.quantile ?? 1) === level);
  const holder = el("div", { class: `tone-${position % 7} strips` });
  const fill = () => holder.replaceChildren(...of().map((each) => {
    const id = each.protein_id ?? at(proteinTable, "id", each.protein);
    return el("div", { class: "strip" },
      el("div", { class: "strip-who" }, proteinLink(proteinTable, each.protein, id, { latent: `${atlas.index.dictionaries[position].name}:${card.latent}`, from: each.peak + 1, to: each.peak + 1 }), " ",
        isKnown(each.has) && el("span", { class: each.has ? "has" : "quiet" }, each.has ? "annotated" : "not annotated"),
        el("small", null, `${each.split ?? ""}, ${significant(each.max_act)} at residue ${each.peak + 1}`),
        el("span", { class: "strip-about" }, each.description ?? at(proteinTable, "description", each.protein) ?? "")),
      el("div", { class: "strip-row" }, el("span", { class: "edge" }, each.start + 1), residueRow({ ...each, name: id }, full), el("span", { class: "edge" }, each.start + each.seq.length)));
  }));
  fill();
  const buttons = levels.map((each) => el("button", { type: "button", class: "segment", "aria-pressed": String(each === level), onclick: () => {
    level = each;
    buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(levels[index] === level)));
    fill();
    replaceQuery({ level: each === levels[0] ? "" : String(each) });
  } }, levelName(each)));
  return panel({
    title: "Where it is active", wide: true, file: `${stem}_windows`,
    about: ["Windows of proteins, coloured by ", term("activation", "activation"), `; the darkest colour is ${significant(full)}, the largest of this latent. Point at a residue, or use the arrow keys, to read its value.`],
    rows: () => recordRows(windows, ["protein_id", "split", "quantile", "rank", "max_act", "peak", "start", "seq", "acts", "has"]),
    figure: () => stripsFigure(of().map((each) => ({ ...each, name: each.protein_id ?? at(proteinTable, "id", each.protein) })), full, dictionaryColour(position), `Windows of latent ${card.latent}`),
  },
  levels.length > 1 && el("div", { class: "segments", role: "group", "aria-label": "Level of activation" }, el("span", { class: "segments-label" }, term("quantile")), buttons),
  holder);
}

function logoPanel(card, stem) {
  if (!card.logo?.length) return panel({ title: "Logo" }, empty("No motif stands out around the peaks of this latent."));
  const figure = (width) => logoFigure(card.logo, { width, label: `Sequence logo of latent ${card.latent}` });
  return panel({ title: "Logo", file: `${stem}_logo`, figure, about: [term("logo", "Amino acids around the peak"), ". Colours are by chemistry.", card.consensus && [" Consensus: ", el("code", null, card.consensus)]], rows: () => [["position", ...LETTERS], ...card.logo.map((bits, index) => [index - Math.floor(card.logo.length / 2), ...bits])] }, figureBox(figure));
}

/** What goes in above, what comes out below: a bar per amino acid, each row on its own scale. */
function effectFigure(card, effects, label, width = 520) {
  const rows = [
    card.input_profile && { name: "active at", values: card.input_profile, colour: "#0072b2" },
    effects.some(isKnown) && { name: "makes more or less likely", values: effects, colour: "#0072b2", below: "#d55e00" },
  ].filter(Boolean);
  const step = (width - 64) / LETTERS.length;
  return {
    width, height: rows.length * 118 + 6, label,
    draw(painter, colours) {
      rows.forEach((row, index) => {
        const top = Math.max(...row.values.map((value) => Math.abs(value ?? 0))) || 1;
        const tall = row.below ? 38 : 76;
        const zero = index * 118 + 20 + (row.below ? 40 : 76);
        painter.text(2, index * 118 + 12, row.name, colours.muted, { size: 11 });
        painter.text(52, zero - tall + 8, `${row.below ? "+" : ""}${significant(top)}`, colours.muted, { size: 11, anchor: "end" });
        painter.line([[58, zero], [width - 6, zero]], colours.muted);
        row.values.forEach((value, letter) => {
          const high = (Math.abs(value ?? 0) / top) * tall;
          painter.rect(60 + letter * step, value >= 0 ? zero - high : zero, step - 3, high, value >= 0 ? row.colour : row.below, { tip: `${LETTERS[letter]}, ${row.name}: ${row.below ? signed(value) : fixed(value)}` });
          painter.text(60 + letter * step + (step - 3) / 2, index * 118 + 114, LETTERS[letter], colours.ink, { size: 12, anchor: "middle", mono: true });
        });
      });
    },
  };
}

function effectPanel(card, stem) {
  const parsed = new Map([...parseEffects(card.promotes), ...parseEffects(card.suppresses)].map((each) => [each.letter, each.value]));
  const effects = card.output_change ?? [...LETTERS].map((letter) => parsed.get(letter) ?? null);
  const hasFigure = effects.some(isKnown) || card.input_profile;
  const figure = hasFigure ? (width) => effectFigure(card, effects, `Amino acids at which latent ${card.latent} is active, and its effect on the language model’s prediction`, width) : undefined;
  return panel({ title: "What goes in, what comes out", file: `${stem}_output`, figure, rows: hasFigure ? () => [["amino_acid", "input_share", "output_change"], ...[...LETTERS].map((letter, index) => [letter, card.input_profile?.[index], effects[index]])] : null },
    pairs([
      [term("input", "Active at"), card.top_residues],
      [term("output", "Makes more likely"), card.promotes],
      [term("output", "Makes less likely"), card.suppresses],
      [term("input", "Input score"), isKnown(card.input_score) ? `${fixed(card.input_score)} (floor ${fixed(card.input_score_floor)})` : null],
      [term("output", "Output score"), isKnown(card.output_score) ? `${anyValue(card.output_score)} (floor ${anyValue(card.output_score_floor)})` : null],
    ]),
    figure ? figureBox(figure) : empty("The effect on the language model’s prediction is not in this run."));
}

function distributionPanel(card, stem) {
  const profile = card.position_profile;
  const quantiles = Object.entries(card).filter(([name, value]) => /^act_q\d+$/.test(name) && isKnown(value));
  const parts = [];
  const position = profile?.length && ((width) => histogram([{ edges: Array.from({ length: profile.length + 1 }, (_, index) => index / profile.length), counts: profile.map(Number) }], { label: `Where along the protein latent ${card.latent} is active`, xLabel: "part of the protein, from N- to C-terminus", format: (value) => `${Math.round(100 * value)} %`, height: 190, width }));
  const acts = card.histogram?.counts?.length && ((width) => histogram([card.histogram], { label: `Activations of latent ${card.latent}`, xLabel: "activation, where it is active", height: 190, width }));
  if (acts) parts.push(el("h3", null, "Activations"), figureBox(acts));
  if (position) parts.push(el("h3", null, "Along the protein"), figureBox(position));
  if (quantiles.length > 0) parts.push(el("h3", null, "Quantiles of the activation"), plainTable(quantiles.map(([name]) => ({ label: `${name.slice(5)} %`, number: true })), [quantiles.map(([, value]) => significant(value))], { label: "Quantiles of the activation" }));
  return panel({ title: "How it is active", file: `${stem}_distribution`, figure: position || acts || undefined, rows: () => [["what", "value"], ...quantiles, ...(profile ?? []).map((value, index) => [`position_bin_${index}`, value])] },
    pairs([["Median run of active residues", isKnown(card.median_run) ? integer(card.median_run) : null], ["Share of a protein covered, where active", isKnown(card.coverage) ? percent(card.coverage) : null], ["Period", card.period ? `${significant(card.period)} residues` : null], ["Lean towards one end", isKnown(card.position_skew) ? signed(card.position_skew, 2) : null]]),
    parts.length > 0 ? parts : empty("The distribution of its activations is not in this run."));
}

function neighbourPanel(card, position, table, conceptTable, stem) {
  const list = (card.neighbours ?? []).map((latent, index) => ({ latent, cosine: card.neighbour_cosines?.[index], what: "neighbour" }));
  if (isIndex(card.antipode)) list.push({ latent: card.antipode, cosine: card.antipode_cosine, what: "antipode" });
  const name = atlas.index.dictionaries[position].name;
  const family = isIndex(card.family) ? el("a", { href: makeRoute(["latents"], { d: name, family: card.family }) }, `family ${card.family}`) : null;
  const topic = isIndex(card.topic) ? el("a", { href: makeRoute(["latents"], { d: name, topic: card.topic }) }, `topic ${card.topic}`) : null;
  return panel({ title: "What lies next to it", file: `${stem}_neighbours`, rows: () => recordRows(list, ["what", "latent", "cosine"]) },
    pairs([[term("family"), family], [term("family", "Special case of"), isIndex(card.family_parent) ? latentLink(position, card.family_parent, latentName(position, conceptTable, card.family_parent)) : null], [term("topic"), topic]]),
    list.length > 0 ? plainTable([{ label: "Latent" }, { label: "Cosine", number: true, term: "neighbour" }, { label: "" }], list.map((each) => [[latentLink(position, each.latent, latentName(position, conceptTable, each.latent)), each.what === "antipode" && el("span", { class: "tag" }, "antipode"), el("small", null, each.latent === card.latent ? "" : `latent ${each.latent}, ${at(table, "kind", each.latent) ?? ""}`)], fixed(each.cosine, 2).replace(/^−0\.00$/, "0.00"), el("a", { href: makeRoute(["compare"], { what: "latents", a: `${name}:${card.latent}`, b: `${name}:${each.latent}` }), "aria-label": `Compare with latent ${each.latent}` }, "compare")]), { label: "Neighbours" }) : empty("Neighbours are not in this run."));
}

function conceptsPanel(card, conceptTable, stem) {
  const rows = card.concepts ?? [];
  if (rows.length === 0) return panel({ title: "Concepts that it agrees with", wide: true }, empty("No concept passes: this latent agrees with none of the concepts of this run."));
  return panel({
    title: "Concepts that it agrees with", wide: true, file: `${stem}_concepts`,
    about: ["Thresholds are chosen on validation proteins; scores are of test proteins. The line in a bar is the ", term("floor", "floor"), "."],
    rows: () => recordRows(rows.map((each) => ({ concept_id: at(conceptTable, "id", each.concept), name: at(conceptTable, "name", each.concept), ...each }))),
  }, plainTable([{ label: "Concept" }, { label: "Of" }, { label: "F1, test", number: true, term: "f1" }, { label: "F1, validation", number: true }, { label: "Precision", number: true }, { label: "Recall", number: true }, { label: "Threshold", number: true, term: "threshold" }],
    rows.map((each) => [conceptLink(conceptTable, each.concept), each.level === "residue" ? "residues" : "proteins", [score(each.f1_test, { floor: each.floor }), meter(each.f1_test, each.floor)], fixed(each.f1_validation), fixed(each.precision_test), fixed(each.recall_test), significant(each.threshold)]), { label: "Concepts" }));
}

function enrichmentPanel(card, conceptTable, stem) {
  const rows = card.enrichment ?? [];
  if (rows.length === 0) return null;
  return panel({ title: "Enriched concepts", wide: true, file: `${stem}_enrichment`, about: [term("enrichment", "What is more common"), " among the proteins in which the latent is active. Relatives count once."], rows: () => recordRows(rows) },
    recordTable(rows, { label: "Enriched concepts", first: { Concept: (row) => (isIndex(row.concept) ? conceptLink(conceptTable, row.concept) : anyValue(row.name)) }, left: ["concept", "name", "concept_id", "aspect", "latent"] }));
}

export async function latentPage({ path, query }) {
  const position = dictionaryPosition(path[1]);
  const number = Number(path[2]);
  const dictionary = atlas.index.dictionaries[position];
  if (!dictionary || !Number.isInteger(number) || number < 0 || number >= dictionary.n_latents) {
    return { title: "No such latent", node: el("div", null, el("h1", null, "No such latent"), empty(dictionary ? `${dictionaryLabel(position)} has the latents 0 to ${dictionary.n_latents - 1}.` : `This run has no dictionary “${path[1] ?? ""}”.`), el("p", null, el("a", { href: "#/latents" }, "All latents"))) };
  }
  const [card, table, conceptTable, proteinTable] = await Promise.all([latentCard(position, number), latents(position), concepts(), someProteins()]);
  const own = { latent: number, ...card };
  own.max_act ??= at(table, "max_act", number);
  own.f1_test ??= at(table, "f1", number);
  own.f1_test_always_on ??= at(table, "floor", number);
  own.shape ??= at(table, "shape", number);
  own.concept = at(table, "concept", number) ?? -1;
  own.is_defined = at(table, "kind", number) === "defined";
  const sentence = own.explanations?.length ? null : await sentenceOf(position, number).catch(() => null);
  if (sentence) own.explanations = [{ sentence, confidence: at(table, "confidence", number), is_generated: false }];
  const { concept, is_defined: defined } = own;
  const name = latentName(position, conceptTable, number);
  const stem = `${dictionary.name}_${number}`;
  const id = at(conceptTable, "id", concept);
  const head = el("header", { class: "page-head" },
    el("p", { class: "crumbs" }, el("a", { href: makeRoute(["latents"], { d: dictionary.name }) }, `Latents of ${dictionaryLabel(position)}`), ` / ${number}`),
    el("h1", null, name),
    el("p", { class: "tags" }, term(defined ? "defined" : "free"), defined ? " for " : isIndex(concept) ? " that agrees best with " : " without a concept ", isIndex(concept) && conceptLink(conceptTable, concept), isIndex(concept) && id && el("code", null, id), id?.startsWith("GO:") && outward("QuickGO", `https://www.ebi.ac.uk/QuickGO/term/${id}`)),
    el("p", { class: "actions" },
      number > 0 && el("a", { class: "button", href: latentHref(position, number - 1), rel: "prev" }, "← Previous"),
      number < dictionary.n_latents - 1 && el("a", { class: "button", href: latentHref(position, number + 1), rel: "next" }, "Next →"),
      el("a", { class: "button", href: makeRoute(["compare"], { what: "latents", a: `${dictionary.name}:${number}` }) }, "Compare with another")));
  return {
    title: `${name}, ${dictionaryLabel(position)} ${number}`,
    node: el("div", null, head, panelGrid(
      sentencePanel(own, stem), stripsPanel(own, position, proteinTable, query, stem), trustPanel(own, conceptTable, stem), logoPanel(own, stem), effectPanel(own, stem), neighbourPanel(own, position, table, conceptTable, stem), distributionPanel(own, stem),
      judgePanel(own, stem), conceptsPanel(own, conceptTable, stem), enrichmentPanel(own, conceptTable, stem))),
  };
}

function judgePanel(card, stem) {
  const rows = (card.monosemanticities ?? []).filter((each) => each.is_judged !== false);
  if (rows.length === 0) return null;
  return panel({ title: "One meaning or several", file: `${stem}_monosemanticity`, about: [term("monosemanticity", "How alike"), " the proteins and windows are that make it active, by judge; below, the background of chance."], rows: () => recordRows(rows) },
    plainTable([{ label: "Judge" }, { label: "Score", number: true, term: "monosemanticity" }, { label: "Background", number: true }, { label: "q", number: true }], rows.map((each) => [[each.judge, each.aspect && el("small", null, each.aspect)], score(each.score, each), fixed(each.background), anyValue(each.q_value)]), { label: "Monosemanticity by judge" }));
}
