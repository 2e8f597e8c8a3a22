// One protein: which latents are active along it, what is known and predicted of it, and its structure.
import { atlas, at, conceptHref, conceptLink, concepts, dictionaryColour, dictionaryLabel, dictionaryName, dictionaryPosition, isAccession, isDefined, latentHref, latentLabel, latentLink, latentName, proteinEntry, proteinHref, proteinIndex, sentenceOf, someProteins } from "./atlas.js";
import { attributionPanel } from "./attribution.js";
import { announce, el, outward } from "./dom.js";
import { fixed, integer, isKnown, percent, plural, significant, isIndex } from "./format.js";
import { term } from "./glossary.js";
import { choice, empty, meter, notice, panel, panelGrid, plainTable, recordRows, tick } from "./panel.js";
import { firingBetween, parseRange, unpackTrack } from "./residues.js";
import { replaceQuery } from "./route.js";
import { structureView } from "./structure.js";
import { trackCanvas } from "./tracks.js";

const AT_ONCE = 12;

/** What `latent=protsae:12` names, as {dictionary, latent}; null if nothing. */
export function parseLatent(text) {
  const [, name, number] = (text ?? "").match(/^(.*):(\d+)$/) ?? [];
  if (name === undefined) return null;
  const dictionary = dictionaryPosition(name);
  return dictionary >= 0 || name === "release" ? { dictionary: dictionary >= 0 ? dictionary : null, latent: Number(number) } : null;
}

/** The sequence in blocks of ten; `values` colours it, `range` is underlined. */
function sequenceBlock(sequence, name) {
  const cells = [];
  const lines = [];
  const perLine = innerWidth < 640 ? 20 : 60;
  for (let start = 0; start < sequence.length; start += perLine) {
    const line = el("div", { class: "sequence-line" }, el("span", { class: "edge", "aria-hidden": "true" }, start + 1));
    const letters = el("span", { class: "residues-row" });
    for (let index = start; index < Math.min(start + perLine, sequence.length); index += 1) {
      const cell = el("span", { "data-index": index }, sequence[index]);
      cells.push(cell);
      letters.append(cell);
      if ((index + 1) % 10 === 0) letters.append(el("span", { class: "gap" }));
    }
    line.append(letters);
    lines.push(line);
  }
  const node = el("div", { class: "sequence", role: "group", "aria-label": `Sequence of ${name}` }, lines);
  return {
    node,
    paint(values, full, range) {
      cells.forEach((cell, index) => {
        const part = values && full > 0 ? Math.min(values[index] / full, 1) : 0;
        cell.style.setProperty("--heat-part", part.toFixed(3));
        cell.className = `${part > 0.94 ? "hot" : part > 0.63 ? "warm" : ""} ${range && index >= range[0] && index <= range[1] ? "brushed" : ""}`;
        cell.dataset.tip = `${cell.textContent}${index + 1}${values ? `: ${significant(values[index])}` : ""}`;
      });
    },
  };
}

/**
 * The page of a protein, of the run or of a prediction.
 *
 * @param about {id, description, split, nearest, head (nodes)}; `entry` as in the data contract; `query` of the route.
 */
export async function proteinView(about, entry, query) {
  const { dictionaries, aspects } = atlas.index;
  const conceptTable = await concepts();
  const { sequence } = entry;
  const length = sequence.length;
  const tracks = entry.tracks ?? [];
  const nameOf = ({ dictionary, latent }) => latentName(dictionary, conceptTable, latent);
  const stem = about.id.replace(/\W+/g, "_");
  let range = parseRange(query.get("from"), query.get("to"), length) ?? about.range ?? null;
  let chosen = parseLatent(query.get("latent"));
  let zoom = Number(query.get("zoom")) > 1 ? Number(query.get("zoom")) : 1;
  let only = dictionaries.some((each) => each.name === query.get("d")) ? query.get("d") : "";
  let all = query.get("all") === "1";
  const chosenTrack = () => tracks.find((track) => chosen && track.dictionary === chosen.dictionary && track.latent === chosen.latent);

  // Tracks.
  const spanLines = () => {
    const byConcept = new Map();
    for (const { concept, start, end } of entry.spans ?? []) byConcept.set(concept, [...(byConcept.get(concept) ?? []), [start, end]]);
    return [...byConcept].map(([concept, spans]) => ({ label: at(conceptTable, "name", concept), href: conceptHref(conceptTable, concept), colour: aspects[at(conceptTable, "aspect", concept)]?.colour ?? "#8a929e", spans }));
  };
  const shownTracks = () => {
    const list = tracks.filter((track) => !only || dictionaryName(track.dictionary) === only);
    // The strongest of each dictionary in turn, so that a short list shows all dictionaries.
    const used = [...new Set(list.map((track) => track.dictionary))].sort();
    const queues = used.map((position) => list.filter((track) => track.dictionary === position));
    const mixed = [];
    for (let index = 0; mixed.length < list.length; index += 1) queues.forEach((queue) => { if (index < queue.length) mixed.push(queue[index]); });
    const picked = all ? mixed : mixed.slice(0, AT_ONCE);
    const own = chosenTrack();
    return own && !picked.includes(own) ? [own, ...picked] : picked;
  };
  const trackHolder = el("div");
  let canvas = null;
  const drawTracks = () => {
    const lines = [...spanLines(), ...shownTracks().map((track) => ({ label: isDefined(track.dictionary, track.latent) ? `${track.latent} ${nameOf(track)}` : `${track.latent} ${dictionaryLabel(track.dictionary)}`, href: isIndex(track.dictionary) ? latentHref(track.dictionary, track.latent) : null, colour: dictionaryColour(track.dictionary), track }))];
    canvas = trackCanvas({ lines, length, sequence, range: () => range, zoom: () => zoom, onBrush: brush, label: `Tracks over ${about.id}: ${plural(lines.length, "line")} over ${plural(length, "residue")}. The table below says the same for chosen residues.` });
    trackHolder.replaceChildren(canvas.node);
  };

  // What is active in the chosen residues.
  const firing = el("div", { class: "firing" });
  const from = el("input", { type: "number", min: 1, max: length, inputmode: "numeric", "aria-label": "From residue", onchange: () => typed() });
  const to = el("input", { type: "number", min: 1, max: length, inputmode: "numeric", "aria-label": "To residue", onchange: () => typed() });
  const found = () => (range ? firingBetween(tracks.filter((track) => !only || dictionaryName(track.dictionary) === only), range[0], range[1]) : []);
  let sentences = 0;
  let long = false;
  const showFiring = () => {
    if (document.activeElement !== from) from.value = range ? range[0] + 1 : "";
    if (document.activeElement !== to) to.value = range ? range[1] + 1 : "";
    if (!range) {
      firing.replaceChildren(el("p", { class: "quiet" }, "Drag over the tracks, or type a first and a last residue, to see which latents are active there."));
      return;
    }
    const list = found();
    const shown = list.slice(0, long ? 80 : 8);
    const note = (each) => {
      const cell = el("small", { class: "row-about" });
      const turn = sentences;
      if (isIndex(each.track.dictionary)) sentenceOf(each.track.dictionary, each.track.latent).then((text) => { if (turn === sentences && text) cell.textContent = text; }, () => {});
      return cell;
    };
    sentences += 1;
    firing.replaceChildren(list.length === 0 ? empty(`None of the strongest latents of this protein is active in residues ${range[0] + 1} to ${range[1] + 1}.`)
      : plainTable([{ label: `Active in residues ${range[0] + 1} to ${range[1] + 1}` }, { label: "Largest activation", number: true, term: "activation" }, { label: "At", number: true }, { label: "Residues", number: true }, { label: "Colour" }],
        shown.map((each) => [[latentLabel(each.track.dictionary, conceptTable, each.track.latent), note(each)], [significant(each.peak), meter(each.part, null, `${percent(each.part)} of the latent’s largest`)], `${sequence[each.at]}${each.at + 1}`, integer(each.count),
          el("button", { type: "button", class: "tool", "aria-label": `show in the sequence: ${nameOf(each.track)}, ${dictionaryLabel(each.track.dictionary)} ${each.track.latent}`, onclick: () => choose(each.track) }, "show")]), { label: "Latents active in the chosen residues" }),
    list.length > shown.length && el("button", { type: "button", class: "tool", onclick: () => {
      long = true;
      showFiring();
    } }, `Show all ${list.length}`) || "");
  };
  const typed = () => brush(parseRange(from.value, to.value || from.value, length), true);
  function brush(next, final) {
    range = next;
    canvas?.redraw();
    showFiring();
    paint();
    if (!final) return;
    replaceQuery({ from: range ? range[0] + 1 : "", to: range ? range[1] + 1 : "" });
    announce(range ? `${plural(found().length, "latent")} active in residues ${range[0] + 1} to ${range[1] + 1}` : "No residues chosen");
  }

  // The sequence and the structure, coloured by the chosen latent.
  const block = sequenceBlock(sequence, about.id);
  const legend = el("p", { class: "quiet" });
  let structure = null;
  function paint() {
    const track = chosenTrack();
    const values = track ? (track.values ??= unpackTrack(track, length)) : null;
    block.node.className = `sequence tone-${(chosen?.dictionary ?? 0) % 7}`;
    block.paint(values, track?.max ?? 0, range);
    legend.replaceChildren(...(track ? ["Coloured by ", latentLink(track.dictionary, track.latent, `${dictionaryLabel(track.dictionary)} ${track.latent}`), ` (${nameOf(track)}); the darkest colour is ${significant(track.max)}.`]
      : chosen ? [`Latent ${chosen.latent} of ${dictionaryLabel(chosen.dictionary)} is not among the strongest latents kept for this protein.`] : tracks.length > 0 ? ["Choose a latent to colour the sequence."] : []));
    structure?.paint(values ? values.map((value) => value / (track.max || 1)) : null, dictionaryColour(chosen?.dictionary), range);
  }
  const options = tracks.map((track) => [`${dictionaryName(track.dictionary)}:${track.latent}`, `${dictionaryLabel(track.dictionary)} ${track.latent}: ${nameOf(track)}`.slice(0, 70)]);
  const chooser = choice("Colour by", [["", "no latent"], ...options], chosen && options.some(([key]) => key === query.get("latent")) ? query.get("latent") : "", (value) => choose(parseLatent(value)));
  function choose(latent) {
    chosen = latent;
    const value = latent ? `${dictionaryName(latent.dictionary)}:${latent.latent}` : "";
    chooser.querySelector("select").value = value;
    replaceQuery({ latent: value });
    drawTracks();
    paint();
    announce(latent ? `Coloured by ${nameOf(latent)}` : "No colour");
  }

  // Known and predicted concepts.
  const predicted = [...(entry.predicted ?? [])].sort((a, b) => b.probability - a.probability);
  const known = entry.known ?? [];
  const predictedPanel = panel({
    title: "Predicted concepts", className: "tall", file: `${stem}_predicted`, rows: predicted.length > 0 ? () => recordRows(predicted.map((each) => ({ concept_id: at(conceptTable, "id", each.concept) ?? each.concept_id, name: at(conceptTable, "name", each.concept) ?? each.name, ...each }))) : undefined,
    about: ["Calibrated probabilities of the best latents and predictors; what is above its ", term("threshold", "threshold"), " is bold."],
  }, predicted.length > 0 ? plainTable([{ label: "Concept" }, { label: "Probability", number: true }, !about.isPrediction && { label: "Annotated" }].filter(Boolean), predicted.slice(0, 60).map((each) => [isIndex(each.concept) ? conceptLink(conceptTable, each.concept) : `${each.name ?? ""} ${each.concept_id ?? ""}`, [isKnown(each.threshold) && each.probability >= each.threshold ? el("b", null, fixed(each.probability, 2)) : fixed(each.probability, 2), meter(each.probability, each.threshold)], !about.isPrediction && (isKnown(each.known) ? (each.known ? el("span", { class: "has" }, "yes") : "no") : "–")].filter(Boolean)), { label: "Predicted concepts" }) : empty(about.noConcepts ?? "This run predicted no concepts for this protein."));
  const knownPanel = panel({ title: "Annotated concepts", className: "tall", file: `${stem}_annotated`, rows: known.length > 0 ? () => recordRows(known.map((each) => ({ concept_id: at(conceptTable, "id", each.concept), name: at(conceptTable, "name", each.concept), is_direct: each.direct }))) : undefined },
    known.length > 0 ? el("ul", { class: "plain scroll", tabindex: 0, role: "list", "aria-label": "Annotated concepts" }, known.map((each) => el("li", null, conceptLink(conceptTable, each.concept), each.direct === false && el("small", { class: "quiet" }, " from a narrower term")))) : empty("No annotation with a concept of this run."));

  // Structures: nothing is loaded before the reader asks for one.
  const structures = entry.structures ?? [];
  const stage = el("div", { class: "stage" });
  const structurePanel = structures.length > 0 && panel({ title: "Structure", wide: true, about: "From the user’s folder. Coloured by the chosen latent; residues chosen above are drawn as sticks. Grey parts have no counterpart in the sequence." },
    structures.map((each) => (each.refused ? notice(el("b", null, each.title ?? `Structure ${each.file}`), ": not shown. ", each.refused) : el("p", null, el("button", { type: "button", class: "button", onclick: async (event) => {
      const button = event.currentTarget;
      button.disabled = true;
      stage.replaceChildren(el("p", { class: "loading" }, "Loading the structure …"));
      try {
        const view = await structureView(each, `Structure ${each.title ?? ""} of ${about.id}`);
        stage.replaceChildren(view.node);
        structure = view;
        paint();
      } catch (error) {
        stage.replaceChildren(notice(`The structure could not be shown. ${error.message}`));
      }
      button.disabled = false;
    } }, `Show ${each.title ?? "the structure"}${each.chain ? `, chain ${each.chain}` : ""}`)))), stage);

  drawTracks();
  showFiring();
  paint();
  const outwardLinks = isAccession(about.id) && [outward("UniProt", `https://www.uniprot.org/uniprotkb/${about.id}/entry`), outward("AlphaFold DB", `https://alphafold.ebi.ac.uk/entry/${about.id}`), outward("InterPro", `https://www.ebi.ac.uk/interpro/protein/UniProt/${about.id}/`), outward("QuickGO", `https://www.ebi.ac.uk/QuickGO/annotations?geneProductId=${about.id}`)];
  const head = el("header", { class: "page-head" }, about.crumbs, el("h1", null, about.id), about.description && el("p", { class: "definition" }, about.description),
    el("p", { class: "tags" }, el("span", null, plural(length, "residue")), about.split && el("span", null, term("split", "split"), ` ${about.split}`), isKnown(about.nearest) && el("span", null, `${percent(about.nearest)} identical to `, about.nearestId ? el("a", { href: proteinHref(about.nearestId) }, about.nearestId) : "its nearest", " in training"), outwardLinks), about.head);
  return el("div", null, head, panelGrid(
    panel({
      title: "Latents along the sequence", wide: true, file: `${stem}_tracks`, figure: () => canvas.figure(),
      about: ["The strongest latents of each dictionary", (entry.n_fired ?? []).some(isKnown) && ` (${dictionaries.map((_, index) => (isKnown(entry.n_fired[index]) ? `${tracks.filter((track) => track.dictionary === index).length} of ${integer(entry.n_fired[index])} active ones of ${dictionaryLabel(index)}` : null)).filter(Boolean).join(", ")})`, "; darker is more active. Drag over residues to choose them."],
      rows: () => [["dictionary", "latent", "name", "residue", "amino_acid", "activation"], ...tracks.flatMap((track) => [...unpackTrack(track, length)].map((value, index) => [dictionaryName(track.dictionary), track.latent, nameOf(track), index + 1, sequence[index], value]).filter((row) => row[5] > 0))],
    },
    el("div", { class: "controls" },
      dictionaries.length > 1 && choice("Dictionary", [["", "all"], ...dictionaries.map((each, index) => [each.name, dictionaryLabel(index)])], only, (value) => {
        only = value;
        replaceQuery({ d: value });
        drawTracks();
        showFiring();
      }),
      choice("Zoom", [["1", "whole protein"], ["2", "2 ×"], ["4", "4 ×"], ["8", "8 ×"]], String(zoom), (value) => {
        zoom = Number(value);
        replaceQuery({ zoom: zoom === 1 ? "" : value });
        canvas.redraw();
      }),
      tracks.length > AT_ONCE && tick(`all ${tracks.length}`, all, (value) => {
        all = value;
        replaceQuery({ all: value ? "1" : "" });
        drawTracks();
      })),
    el("ul", { class: "map-key" }, [...new Set(tracks.map((track) => track.dictionary))].sort().map((index) => el("li", null, el("i", { vars: { "--swatch": dictionaryColour(index) } }), `latents of ${dictionaryLabel(index)}`))),
    tracks.length + (entry.spans?.length ?? 0) > 0 ? trackHolder : empty(about.noTracks ?? "This run kept no activations of this protein: of training proteins it keeps a sample."),
    tracks.length > 0 && el("div", { class: "controls brush" }, el("span", null, "Which latents are active in residues"), from, el("span", null, "to"), to, el("span", null, "?"), el("button", { type: "button", class: "tool", onclick: () => brush(null, true) }, "Clear")), tracks.length > 0 && firing),
    await attributionPanel(entry, query, stem),
    panel({ title: "Sequence", wide: true, file: `${stem}_sequence`, rows: () => [["protein", "sequence"], [about.id, sequence]] }, el("div", { class: "controls" }, options.length > 0 && chooser), legend, el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Sequence" }, block.node)),
    structurePanel, predictedPanel, about.isPrediction ? null : knownPanel));
}

export async function proteinPage({ path, query }) {
  const id = path[1] ?? "";
  const index = await proteinIndex(id);
  const [table, entry] = index >= 0 ? await Promise.all([someProteins(), proteinEntry(index)]) : [];
  if (!entry) {
    return { title: id || "Protein", node: el("div", null, el("h1", null, index >= 0 ? id : "No such protein"), empty(index >= 0 ? "This protein has no page: pages were limited to a list of proteins. It is in the lists and counts in all scores." : `This run has no protein “${id}”. It may go by another accession: try the search.`), el("p", null, el("a", { href: "#/proteins" }, "All proteins"))) };
  }
  const known = (name) => entry[name] ?? at(table, name, index);
  const node = await proteinView({
    id, description: known("description"), split: known("split"), nearest: known("nearest_identity"), nearestId: entry.nearest_id,
    crumbs: el("p", { class: "crumbs" }, el("a", { href: "#/proteins" }, "Proteins"), ` / ${id}`),
  }, entry, query);
  return { title: id, node };
}
