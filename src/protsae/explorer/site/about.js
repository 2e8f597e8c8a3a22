// Hashes, versions, attribution, limits, how to cite, the words, the keys; and the reader's own bookmarks.
import { atlas, dictionaryLabel } from "./atlas.js";
import { announce, el } from "./dom.js";
import { fixed, integer } from "./format.js";
import { GLOSSARY } from "./glossary.js";
import { empty, notice, pairs, panel, panelGrid, recordRows, recordTable, saveFile } from "./panel.js";
import { checkSaved, mergeSaved, readSaved, writeSaved } from "./saved.js";

const LIMITS = [
  "A score is of this run’s test proteins. Proteins of another kind may score otherwise.",
  "An annotation that is missing counts as a negative. Some of these proteins have the concept, and nobody has looked.",
  "A latent that agrees with a concept need not be what the language model uses. Output effects and ablations say more.",
  "Sentences are written by rules or by a language model. Their scores say how far they describe the latent.",
];

const KEYS = [["/", "search"], ["Esc", "close the search"], ["↑ ↓ Enter", "choose a result"], ["← →", "read single residues of a heat strip"], ["arrow keys, + − 0", "move and zoom in the map"], ["Alt ←", "back to the view before"]];

export async function aboutPage() {
  const { index } = atlas;
  const code = (text) => (text ? el("code", { class: "hash" }, text) : null);
  return {
    title: "About",
    node: el("div", null, el("h1", null, "About this explorer"), el("p", { class: "intro" }, "A folder of files: it opens from a disk, asks no server, and sends nothing anywhere. Links to other sites open only when you click them."),
      panelGrid(
        panel({ title: "Run", file: "run", rows: () => [["what", "value"], ["run", index.run], ["version", index.version], ["language model", index.plm?.name], ["sha256", index.plm?.sha256], ...index.dictionaries.map((each) => [each.name, each.sha256])] },
          pairs([["Run", code(index.run)], ["protsae", index.version], ["Made", index.created], ["Language model", index.plm?.name], ["its sha256", code(index.plm?.sha256)], ["Hook point", index.dictionaries[0]?.hook_point], ...Object.entries(index.counts ?? {}).map(([name, n]) => [name, integer(n)])])),
        panel({ title: "Dictionaries" }, index.dictionaries.map((each, position) => [el("h3", null, dictionaryLabel(position)), pairs([["Architecture", each.architecture], ["Latents", integer(each.n_latents)], ["Seed", each.seed], ["Variance explained", fixed(each.fve)], ["sha256", code(each.sha256)]])])),
        panel({ title: "Data", wide: true, file: "sources", rows: index.sources?.length > 0 ? () => recordRows(index.sources) : undefined }, index.sources?.length > 0 ? recordTable(index.sources, { label: "Files" }) : empty("The files of this run are not listed."), (index.attribution ?? []).map((text) => el("p", { class: "about" }, text))),
        panel({ title: "Limits", wide: true }, el("ul", { class: "bullets" }, [...(index.limits ?? []), ...LIMITS].map((text) => el("li", null, text)))),
        panel({ title: "How to cite" }, el("p", null, "Name protsae with its version, the sha256 of the dictionary, and the data above. The method of named latents is from ProtSAE, ", el("a", { href: "https://arxiv.org/abs/2509.05309", rel: "noopener noreferrer", target: "_blank" }, "arXiv 2509.05309"), "."), el("p", { class: "quiet" }, "A view is cited by its address: everything after # is its state. With the folder, it opens the same for everybody.")),
        panel({ title: "Keys" }, el("dl", { class: "pairs" }, KEYS.map(([key, text]) => el("div", null, el("dt", null, el("kbd", null, key)), el("dd", null, text))))),
        panel({ title: "Words", wide: true, file: "glossary", rows: () => [["term", "meaning"], ...Object.values(GLOSSARY)] }, el("dl", { class: "glossary" }, Object.values(GLOSSARY).map(([name, text]) => el("div", null, el("dt", null, name), el("dd", null, text))))),
        panel({ title: "Licences", wide: true }, el("p", null, "The explorer is part of protsae, Apache-2.0. Structures are drawn by 3Dmol.js (BSD-3-Clause, University of Pittsburgh and contributors), loaded only where one is shown; its licence is next to it in the folder.")))),
  };
}

export async function savedPage() {
  const node = el("div");
  const draw = () => {
    const entries = readSaved();
    const file = el("input", { type: "file", accept: "application/json,.json", class: "sr", id: "saved-file", onchange: async () => {
      try {
        const { entries: other, refused } = checkSaved(JSON.parse(await file.files[0].text()));
        if (other.length === 0) throw new Error("no entries");
        writeSaved(mergeSaved(entries, other));
        announce(`${other.length} bookmarks read${refused ? `, ${refused} refused` : ""}`);
        draw();
      } catch {
        node.prepend(notice("This file holds no bookmarks of an explorer."));
      }
    } });
    node.replaceChildren(el("h1", null, "Saved views"), el("p", { class: "intro" }, "Bookmarks and notes stay in this browser. Save them as a file to keep them, or to hand them on."),
      el("div", { class: "controls" }, entries.length > 0 && el("button", { type: "button", class: "button", onclick: () => saveFile("protsae_bookmarks.json", new Blob([JSON.stringify({ format: "protsae-explorer-saved", version: 1, entries }, null, 1)], { type: "application/json" })) }, "Save as a file"), el("label", { class: "button", for: "saved-file" }, "Read a file"), file),
      entries.length === 0 ? empty("Nothing yet. “Bookmark” at the top right of a page keeps it here, with a note if you like.") : el("ul", { class: "saved" }, entries.map((entry) => el("li", { class: "panel" },
        el("div", { class: "panel-head" }, el("h2", null, el("a", { href: entry.hash }, entry.title)), el("button", { type: "button", class: "tool", "aria-label": `Remove ${entry.title}`, onclick: () => {
          writeSaved(readSaved().filter((each) => each.hash !== entry.hash));
          draw();
        } }, "Remove")),
        entry.run && entry.run !== atlas.index.run && el("p", { class: "quiet" }, "Saved in another run: numbers may differ."),
        el("label", { class: "note" }, el("span", { class: "quiet" }, "Note"), el("textarea", { rows: 2, onchange: (event) => writeSaved(readSaved().map((each) => (each.hash === entry.hash ? { ...each, note: event.target.value, at: new Date().toISOString() } : each))) }, entry.note))))));
  };
  draw();
  return { title: "Saved views", node };
}
