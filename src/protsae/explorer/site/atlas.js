// What all pages know of the run: its index, its tables, and how latents, concepts and proteins are named and linked.
import { el } from "./dom.js";
import { isIndex } from "./format.js";
import { aspectChip } from "./panel.js";
import { load, loadAll, loadEntry, loadTable } from "./store.js";
import { makeRoute } from "./route.js";
import { OKABE } from "./paint.js";

export const atlas = { index: null };

export async function openAtlas() {
  atlas.index ??= await load("index");
  atlas.index.run ??= document.documentElement.dataset.run;
  return atlas.index;
}

/** A value of a table, or null where the run has no such column. */
export function at(table, name, row) {
  return isIndex(row) ? (table.columns[name]?.[row] ?? null) : null;
}

export function dictionaryPosition(name) {
  return atlas.index.dictionaries.findIndex((each) => each.name === name);
}

/** The name of a dictionary in addresses. A prediction may have used one that is not of this run: its position is null. */
export function dictionaryName(position) {
  return atlas.index.dictionaries[position]?.name ?? "release";
}

export function dictionaryLabel(position) {
  const dictionary = atlas.index.dictionaries[position];
  return dictionary ? (dictionary.label ?? dictionary.name) : "the release’s";
}

export function dictionaryColour(position) {
  return OKABE[(position ?? 4) % OKABE.length];
}

export const concepts = () => loadTable("concepts");
export const proteins = () => loadTable("proteins");
export const latents = (position) => loadTable(`latents-${position}`);

/** Whether descriptions and ids of proteins come in files of their own, so that no page of one thing loads the whole table. */
const isDivided = () => Boolean(atlas.index.chunk.descriptions);

/** The index of a protein, or -1. */
export async function proteinIndex(id) {
  return (isDivided() ? await load("protein-ids") : (await proteins()).columns.id).indexOf(id);
}

/** Descriptions of all proteins. */
export async function allDescriptions() {
  return isDivided() ? loadAll("descriptions", atlas.index.counts.proteins, atlas.index.chunk.descriptions) : ((await proteins()).columns.description ?? []);
}

/** What the pages of one thing know of proteins: nothing where the data tell it themselves. */
export const someProteins = () => (isDivided() ? Promise.resolve({ n: 0, columns: {} }) : proteins());

export const latentCard = (position, latent) => loadEntry(`latent-${position}`, latent, atlas.index.chunk.latent);
export const conceptEntry = (index) => loadEntry("concept", index, atlas.index.chunk.concept);
export const proteinEntry = (index) => loadEntry("protein", index, atlas.index.chunk.protein);
export const allSequences = () => loadAll("sequences", atlas.index.counts.proteins, atlas.index.chunk.sequences);
export const allSentences = (position) => loadAll(`sentences-${position}`, atlas.index.dictionaries[position].n_latents, atlas.index.chunk.sentences);
export const sentenceOf = (position, latent) => loadEntry(`sentences-${position}`, latent, atlas.index.chunk.sentences);

export function latentHref(position, latent, query) {
  return makeRoute(["latent", dictionaryName(position), String(latent)], query);
}

export function conceptHref(table, index) {
  return makeRoute(["concept", table.columns.id[index]]);
}

export function proteinHref(id, query) {
  return makeRoute(["protein", id], query);
}

/** Whether a latent was tied to a concept: these come first, in the order of the concepts. */
export function isDefined(position, latent) {
  return latent < (atlas.index.dictionaries[position]?.n_defined ?? 0);
}

/** The name of a latent: of its concept if it was tied to one, else its number. */
export function latentName(position, conceptTable, latent) {
  return isDefined(position, latent) ? (at(conceptTable, "name", latent) ?? `Latent ${latent}`) : `Latent ${latent}`;
}

/** The same with its dictionary, where latents of several stand together: a node of a name and, for a named one, its number in small. */
export function latentLabel(position, conceptTable, latent, query) {
  const name = latentName(position, conceptTable, latent);
  const place = `${dictionaryLabel(position)} ${latent}`;
  const isNamed = isDefined(position, latent);
  return [latentLink(position, latent, isNamed ? name : place, query), isNamed && el("small", null, place)];
}

/** The concept that a latent's F1 is of: for a defined latent it may be another one than its own. */
export function bestConcept(table, latent) {
  return at(table, "best", latent) ?? at(table, "concept", latent) ?? -1;
}

/** A link to a latent, with its dictionary in small. */
export function latentLink(position, latent, name, query) {
  if (!isIndex(position)) return el("span", null, name ?? `${dictionaryLabel(position)} ${latent}`);
  return el("a", { href: latentHref(position, latent, query) }, name ?? `${dictionaryLabel(position)} ${latent}`);
}

export function conceptLink(table, index) {
  if (!isIndex(index)) return "–";
  return el("span", null, el("a", { href: conceptHref(table, index) }, at(table, "name", index) || at(table, "id", index)), " ", aspectChip(at(table, "aspect", index), atlas.index.aspects));
}

export function proteinLink(table, index, id, query) {
  const name = (isIndex(index) ? at(table, "id", index) : null) ?? id;
  return isIndex(index) && at(table, "has_page", index) === false ? name : el("a", { href: proteinHref(name, query) }, name);
}

/** Whether an id looks like one of UniProt, so that outward links lead somewhere. */
export function isAccession(id) {
  return /^([OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9]([A-Z][A-Z0-9]{2}[0-9]){1,2})$/.test(id);
}
