// What the pipeline `prediction` wrote for the user's own sequences.
import { atlas, concepts, conceptLink, isDefined, latentLabel, latentLink, latentName } from "./atlas.js";
import { el } from "./dom.js";
import { anyValue, fixed, integer, isIndex, isKnown, plural, signed, significant } from "./format.js";
import { empty, notice, pairs, panel, plainTable, recordRows } from "./panel.js";
import { proteinView } from "./protein.js";
import { makeRoute } from "./route.js";
import { load, loadEntry, table } from "./store.js";

const MAX_VARIANTS = 40; // each is loaded from its own file; a scan has thousands

export async function predictionPage({ path, query }) {
  if (!atlas.index.has?.prediction) return { title: "Prediction", node: el("div", null, el("h1", null, "Prediction"), empty("No prediction was made in this run."), notice("To predict concepts for your own sequences: ", el("code", null, "kedro run --pipelines prediction --params prediction.fasta=my.fasta"), ", then ", el("code", null, "kedro run --pipelines explorer"), ".")) };
  const about = await load("prediction");
  const { columns, n } = table(about.proteins);
  const link = (row) => el("a", { href: makeRoute(["prediction", String(row)]) }, columns.id[row]);
  const entryOf = (row) => loadEntry("prediction", row, atlas.index.chunk.protein);
  if (path[1] === undefined) {
    const groups = new Map();
    for (let row = 0; row < n; row += 1) {
      const own = columns.group?.[row] ?? columns.id[row];
      groups.set(own, [...(groups.get(own) ?? []), row]);
    }
    return { title: "Prediction", node: el("div", null, el("h1", null, "Prediction"), el("p", { class: "intro" }, `${plural(n, "sequence")} of ${about.fasta ?? "your own"}${about.release ? `, with the release ${about.release}` : ""}. Variants stand below the sequence that they come from.`),
      panel({ title: "Sequences", wide: true, file: "prediction", rows: () => [["id", "description", "length", "group"], ...columns.id.map((id, row) => [id, columns.description?.[row], columns.length?.[row], columns.group?.[row]])] },
        plainTable([{ label: "Sequence" }, { label: "Description" }, { label: "Residues", number: true }], [...groups.values()].flat().map((row) => [[columns.group?.[row] && columns.group[row] !== columns.id[row] ? "↳ " : "", link(row)], columns.description?.[row] ?? "", integer(columns.length?.[row])]), { label: "Sequences" }))) };
  }
  const row = Number(path[1]);
  const entry = Number.isInteger(row) && row >= 0 && row < n ? await entryOf(row) : null;
  if (!entry) return { title: "Prediction", node: el("div", null, el("h1", null, "No such sequence"), el("p", null, el("a", { href: "#/prediction" }, "All sequences"))) };
  const group = columns.group?.[row];
  const rowsOf = (id) => Array.from({ length: n }, (_, other) => other).filter((other) => columns.group?.[other] === id);
  const wild = group ? columns.id.indexOf(group) : -1;
  const changed = (entry.mutations ?? []).map((text) => Number(text.match(/\d+/)?.[0]) - 1).filter((at_) => at_ >= 0);
  const node = await proteinView({
    id: entry.id ?? columns.id[row], description: columns.description?.[row], nearest: entry.nearest_identity, nearestId: entry.nearest_id, isPrediction: true,
    crumbs: el("p", { class: "crumbs" }, el("a", { href: "#/prediction" }, "Prediction"), " / ", wild >= 0 && [link(wild), " / "], wild >= 0 ? entry.mutations?.join(", ") : columns.id[row]),
    range: changed.length > 0 ? [Math.min(...changed), Math.max(...changed)] : null,
    noTracks: wild >= 0 ? "Tracks are kept of the sequence that a variant comes from." : null,
    noConcepts: wild >= 0 ? "The table above has the concepts whose probability changes most." : null,
    head: [
      entry.mutations?.length > 0 && el("p", { class: "tags" }, "Variant: ", entry.mutations.map((each) => el("code", null, each))),
      isKnown(entry.llr) && pairs([["Log-likelihood ratio of the language model (variant to wild type)", signed(entry.llr, 2)], ["Score", anyValue(entry.score)]]),
      (entry.marks ?? []).length > 0 && notice([entry.marks].flat().join("; ")),
    ],
  }, entry, query);
  const changes = [...(entry.gained ?? []).map((each) => ({ what: "gained", ...each })), ...(entry.lost ?? []).map((each) => ({ what: "lost", ...each }))];
  const conceptTable = await concepts();
  const variants = wild >= 0 ? [] : rowsOf(columns.id[row]);
  node.querySelector(".panels").prepend(...[
    variants.length > 0 && await variantsPanel(variants),
    wild >= 0 && panel({ title: "Latents gained and lost", file: `${entry.id}_latents`, about: "Activation in the sequence that it comes from, and in this variant.", rows: changes.length > 0 ? () => recordRows(changes) : undefined },
      changes.length > 0 ? plainTable([{ label: "Latent" }, { label: "" }, { label: "Before", number: true }, { label: "After", number: true }], changes.map((each) => [[latentLabel(each.dictionary, conceptTable, each.latent), each.sentence && el("small", { class: "row-about" }, each.sentence)], each.what, significant(each.before), significant(each.after)]), { label: "Latents gained and lost" }) : empty("No latent is gained or lost.")),
    wild >= 0 && panel({ title: "Concepts that change", className: "tall", file: `${entry.id}_concepts`, about: "Calibrated probabilities before and after.", rows: entry.changes?.length > 0 ? () => recordRows(entry.changes) : undefined },
      entry.changes?.length > 0 ? plainTable([{ label: "Concept" }, { label: "Before", number: true }, { label: "After", number: true }, { label: "Change", number: true }], entry.changes.map((each) => [isIndex(each.concept) ? conceptLink(conceptTable, each.concept) : each.name, fixed(each.before), fixed(each.after), signed(each.after - each.before)]), { label: "Concepts that change" }) : empty("No concept changes.")),
  ].filter(Boolean));
  return { title: entry.id ?? columns.id[row], node };

  /** All variants of a sequence next to each other. */
  async function variantsPanel(all) {
    const rows = all.slice(0, MAX_VARIANTS);
    const conceptsOf = await concepts();
    const entries = await Promise.all(rows.map(entryOf));
    const names = (list) => (list ?? []).slice(0, 4).map((each, index) => [index > 0 && ", ", latentLink(each.dictionary, each.latent, isDefined(each.dictionary ?? -1, each.latent) ? latentName(each.dictionary, conceptsOf, each.latent) : `${each.latent}`)]);
    const cell = (list) => [list?.length ? names(list) : "–", list?.length > 4 && el("small", null, `and ${list.length - 4} more`)];
    return panel({ title: "Variants", wide: true, file: `${columns.id[row]}_variants`, about: `Latents that are gained and lost, the largest changes first.${all.length > rows.length ? ` The first ${rows.length} of ${all.length} variants; the list of the prediction has all.` : ""}`, rows: () => recordRows(entries.map((each) => ({ variant: each.mutations?.join(":"), llr: each.llr, score: each.score, gained: (each.gained ?? []).map((one) => one.latent), lost: (each.lost ?? []).map((one) => one.latent) }))) },
      plainTable([{ label: "Variant" }, { label: "Log-likelihood ratio", number: true }, { label: "Gained" }, { label: "Lost" }], entries.map((each, index) => [el("a", { href: makeRoute(["prediction", String(rows[index])]) }, each.mutations?.join(", ") ?? each.id), signed(each.llr, 2), cell(each.gained), cell(each.lost)]), { label: "Variants" }));
  }
}
