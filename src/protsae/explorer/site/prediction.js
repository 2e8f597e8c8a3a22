// What the pipeline `prediction` wrote for the user's own sequences.
import { atlas, dictionaryLabel, latentLink } from "./atlas.js";
import { el } from "./dom.js";
import { integer, plural, significant } from "./format.js";
import { empty, notice, panel, plainTable, recordRows } from "./panel.js";
import { proteinView } from "./protein.js";
import { makeRoute } from "./route.js";
import { load, loadEntry, table } from "./store.js";

const CHUNK = 16;

export async function predictionPage({ path, query }) {
  if (!atlas.index.has?.prediction) return { title: "Prediction", node: el("div", null, el("h1", null, "Prediction"), empty("No prediction was made in this run."), notice("To predict concepts for your own sequences: ", el("code", null, "kedro run --pipelines prediction --params prediction.fasta=my.fasta"), ", then ", el("code", null, "kedro run --pipelines explorer"), ".")) };
  const about = await load("prediction");
  const { columns, n } = table(about.proteins);
  if (path[1] === undefined) {
    const groups = new Map();
    for (let row = 0; row < n; row += 1) groups.set(columns.group?.[row] ?? columns.id[row], [...(groups.get(columns.group?.[row] ?? columns.id[row]) ?? []), row]);
    const link = (row) => el("a", { href: makeRoute(["prediction", String(row)]) }, columns.id[row]);
    return { title: "Prediction", node: el("div", null, el("h1", null, "Prediction"), el("p", { class: "intro" }, `${plural(n, "sequence")} of ${about.fasta ?? "your file"}${about.release ? `, with the release ${about.release}` : ""}. Variants stand below the sequence that they come from.`),
      panel({ title: "Sequences", wide: true, file: "prediction", rows: () => [["id", "description", "length", "group"], ...columns.id.map((id, row) => [id, columns.description?.[row], columns.length?.[row], columns.group?.[row]])] },
        plainTable([{ label: "Sequence" }, { label: "Description" }, { label: "Residues", number: true }], [...groups.values()].flat().map((row) => [[columns.group?.[row] && columns.group[row] !== columns.id[row] ? "↳ " : "", link(row)], columns.description?.[row] ?? "", integer(columns.length?.[row])]), { label: "Sequences" }))) };
  }
  const row = Number(path[1]);
  const entry = Number.isInteger(row) && row >= 0 && row < n ? await loadEntry("prediction", row, CHUNK) : null;
  if (!entry) return { title: "Prediction", node: el("div", null, el("h1", null, "No such sequence"), el("p", null, el("a", { href: "#/prediction" }, "All sequences"))) };
  const id = entry.id ?? columns.id[row];
  const group = columns.group?.[row];
  const siblings = group ? Array.from({ length: n }, (_, other) => other).filter((other) => other !== row && (columns.group[other] === group || columns.id[other] === group)) : [];
  const changes = [...(entry.gained ?? []).map((each) => ({ what: "gained", ...each })), ...(entry.lost ?? []).map((each) => ({ what: "lost", ...each }))];
  const node = await proteinView({
    id, description: columns.description?.[row], crumbs: el("p", { class: "crumbs" }, el("a", { href: "#/prediction" }, "Prediction"), ` / ${id}`),
    head: [entry.mutations?.length > 0 && el("p", { class: "tags" }, "Variant: ", entry.mutations.map((each) => el("code", null, each))), siblings.length > 0 && el("p", { class: "tags" }, "Compare with ", siblings.slice(0, 12).map((other) => [el("a", { href: makeRoute(["prediction", String(other)]) }, columns.id[other]), " "]))],
  }, entry, query);
  if (changes.length > 0) {
    node.querySelector(".panels").prepend(panel({ title: "Latents gained and lost", wide: true, file: `${id}_changes`, about: `Largest activation in the sequence that it comes from, and in this variant.`, rows: () => recordRows(changes) },
      plainTable([{ label: "Latent" }, { label: "" }, { label: "Before", number: true }, { label: "After", number: true }], changes.map((each) => [[latentLink(each.dictionary, each.latent), el("small", null, dictionaryLabel(each.dictionary))], each.what, significant(each.before), significant(each.after)]), { label: "Latents gained and lost" })));
  }
  return { title: id, node };
}
