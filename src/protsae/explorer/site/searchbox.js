// The one search, from any page: `/`. The index is put together on first use, in memory.
import { atlas, allDescriptions, allSentences, allSequences, at, concepts, conceptHref, dictionaryLabel, latentHref, latentName, latents, proteinHref, proteins } from "./atlas.js";
import { announce, el } from "./dom.js";
import { plural } from "./format.js";
import { aspectChip, empty } from "./panel.js";
import { asFragment, findFragment, rankDocuments } from "./ranking.js";
import { makeRoute } from "./route.js";
import { load, table } from "./store.js";

const KINDS = { concept: "Concepts", latent: "Latents", protein: "Proteins", motif: "Motifs", sequence: "Sequence fragment" };

let documentsPromise = null;

/** All that can be found, as {kind, id, name, title, about, href, weight}; loaded once. */
async function buildDocuments() {
  const { dictionaries } = atlas.index;
  const [conceptTable, proteinTable, descriptions, extra, tables, sentences] = await Promise.all([
    concepts(), proteins(), allDescriptions(), load("search").then((value) => table(value.entries), () => ({ n: 0, columns: {} })),
    Promise.all(dictionaries.map((_, position) => latents(position))),
    Promise.all(dictionaries.map((_, position) => allSentences(position).catch(() => []))),
  ]);
  const documents = [];
  for (let row = 0; row < conceptTable.n; row += 1) {
    const [id, name] = [at(conceptTable, "id", row), at(conceptTable, "name", row) ?? ""];
    documents.push({ kind: "concept", id: id.toLowerCase(), name: name.toLowerCase(), title: name || id, about: id, aspect: at(conceptTable, "aspect", row), href: conceptHref(conceptTable, row), weight: 2 });
  }
  tables.forEach((each, position) => {
    for (let latent = 0; latent < each.n; latent += 1) {
      const sentence = sentences[position][latent];
      const concept = at(each, "concept", latent) ?? -1;
      if (!sentence && concept < 0) continue;
      const name = latentName(position, conceptTable, latent);
      documents.push({ kind: "latent", id: `${dictionaries[position].name} ${latent}`.toLowerCase(), name: `${name} ${sentence ?? ""} ${at(conceptTable, "name", concept) ?? ""}`.toLowerCase(), title: name, about: `${dictionaryLabel(position)} ${latent}${sentence ? `: ${sentence}` : ""}`, href: latentHref(position, latent), weight: 3 * Math.max((at(each, "f1", latent) ?? 0) - (at(each, "floor", latent) ?? 0), 0) });
    }
  });
  for (let row = 0; row < proteinTable.n; row += 1) {
    const [id, description] = [at(proteinTable, "id", row), descriptions[row] ?? ""];
    documents.push({ kind: "protein", id: id.toLowerCase(), name: description.toLowerCase(), title: id, about: description, href: proteinHref(id) });
  }
  for (let row = 0; row < extra.n; row += 1) {
    const [kind, dictionary, index, text] = ["kind", "dictionary", "index", "text"].map((name) => at(extra, name, row));
    if (kind === "protein") {
      documents.push({ kind, id: text.toLowerCase(), name: "", title: text, about: `another name of ${at(proteinTable, "id", index)}`, href: proteinHref(at(proteinTable, "id", index)) });
    } else {
      documents.push({ kind: kind === "motif" ? "motif" : "latent", id: "", name: text.toLowerCase(), title: text, about: `${dictionaryLabel(dictionary)} ${index}: ${latentName(dictionary, conceptTable, index)}`, href: latentHref(dictionary, index) });
    }
  }
  return documents;
}

/** Find what is typed: documents, and proteins that hold it as a fragment. At most `limit` of each kind. */
async function findAll(query, limit) {
  documentsPromise ??= buildDocuments();
  documentsPromise.catch(() => { documentsPromise = null; });
  const found = rankDocuments(await documentsPromise, query, limit);
  const fragment = asFragment(query);
  if (!fragment) return found;
  const [sequences, proteinTable] = await Promise.all([allSequences(), proteins()]);
  return [...found, ...findFragment(sequences, fragment, limit).map(({ protein, start }) => {
    const id = at(proteinTable, "id", protein);
    return { kind: "sequence", title: id, about: `residues ${start + 1} to ${start + fragment.length}`, href: proteinHref(id, { from: start + 1, to: start + fragment.length }) };
  })];
}

/** Results in groups, the group of the best result first. */
function groups(found) {
  const byKind = new Map();
  for (const each of found) byKind.set(each.kind, [...(byKind.get(each.kind) ?? []), each]);
  return [...byKind];
}

/** The field in the head of the page. */
export function searchBox() {
  const list = el("div", { id: "search-list", role: "listbox", "aria-label": "Results", class: "search-list", hidden: true });
  const input = el("input", { type: "search", id: "search", role: "combobox", autocomplete: "off", spellcheck: "false", placeholder: "Search all: term, sentence, protein, motif", "aria-label": "Search latents, concepts, proteins, motifs and sequence fragments", "aria-expanded": "false", "aria-controls": "search-list", "aria-autocomplete": "list", "aria-keyshortcuts": "/" });
  const node = el("div", { class: "search", role: "search" }, input, el("kbd", { "aria-hidden": "true" }, "/"), list);
  let [options, active, turn, timer] = [[], -1, 0, 0];
  const close = () => {
    list.hidden = true;
    input.setAttribute("aria-expanded", "false");
    input.removeAttribute("aria-activedescendant");
    active = -1;
  };
  const mark = (next) => {
    options[active]?.setAttribute("aria-selected", "false");
    active = next;
    options[active]?.setAttribute("aria-selected", "true");
    options[active]?.scrollIntoView({ block: "nearest" });
    if (options[active]) input.setAttribute("aria-activedescendant", options[active].id);
    else input.removeAttribute("aria-activedescendant");
  };
  const open = () => {
    list.hidden = false;
    input.setAttribute("aria-expanded", "true");
  };
  const go = (href) => {
    close();
    input.value = "";
    input.blur();
    location.hash = href;
  };
  const run = async () => {
    turn += 1;
    const own = turn;
    const query = input.value;
    if (query.trim().length < 2) return close();
    const slow = setTimeout(() => {
      list.replaceChildren(el("p", { class: "loading" }, "Reading the index …"));
      open();
    }, 200);
    try {
      const found = await findAll(query, 6);
      if (own !== turn) return null;
      active = -1;
      options = [];
      const blocks = groups(found).map(([kind, each]) => el("div", { role: "group", "aria-label": KINDS[kind] }, el("p", { class: "search-kind", "aria-hidden": "true" }, KINDS[kind]), each.map((result) => {
        const option = el("div", { role: "option", id: `option-${options.length}`, "aria-selected": "false", class: "search-option", onpointerdown: (event) => event.preventDefault(), onclick: () => go(result.href) }, el("span", null, result.title, " ", aspectChip(result.aspect, atlas.index.aspects)), el("small", null, result.about));
        option.dataset.href = result.href;
        options.push(option);
        return option;
      })));
      list.replaceChildren(...(blocks.length > 0 ? blocks : [el("p", { class: "empty" }, "Nothing found. Try a part of a word, an accession, or five or more amino acids in capitals.")]));
      open();
      announce(plural(options.length, "result"));
    } catch (error) {
      list.replaceChildren(el("p", { class: "empty" }, error.message));
      open();
    } finally {
      clearTimeout(slow);
    }
    return null;
  };
  input.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(run, 90);
  });
  input.addEventListener("focus", () => { if (input.value.trim().length > 1) run(); });
  input.addEventListener("blur", close);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" && options.length > 0) mark(Math.min(active + 1, options.length - 1));
    else if (event.key === "ArrowUp") mark(Math.max(active - 1, -1));
    else if (event.key === "Escape") list.hidden ? input.blur() : close();
    else if (event.key === "Enter") {
      turn += 1; // what is still being looked for comes too late
      clearTimeout(timer);
      const query = input.value.trim();
      if (active >= 0) go(options[active].dataset.href);
      else if (query) go(makeRoute(["search"], { q: query }));
    } else return;
    event.preventDefault();
  });
  return { node, input };
}

export async function searchPage({ query }) {
  const text = query.get("q") ?? "";
  const found = text ? await findAll(text, 30) : [];
  return {
    title: `Search: ${text}`,
    node: el("div", null, el("h1", null, text ? `Results for “${text}”` : "Search"), found.length === 0 ? empty(text ? "Nothing found. Try a part of a word, an accession, or five or more amino acids in capitals." : "Type what you look for into the field at the top (/).") :
      groups(found).map(([kind, each]) => el("section", { class: "panel" }, el("h2", null, KINDS[kind]), el("ul", { class: "results" }, each.map((result) => el("li", null, el("a", { href: result.href }, result.title), " ", aspectChip(result.aspect, atlas.index.aspects), el("small", null, result.about))))))),
  };
}
