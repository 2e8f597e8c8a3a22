// Bookmarks and notes of the reader, in the browser's own storage; exported and imported as a file.

const KEY = "protsae-explorer-saved";

/** Check what a file or the storage holds; entries that are none are counted. */
export function checkSaved(value) {
  const entries = Array.isArray(value?.entries) ? value.entries : [];
  const good = entries.filter((entry) => typeof entry?.hash === "string" && entry.hash.startsWith("#/") && typeof entry.title === "string");
  const text = (each, limit) => (typeof each === "string" ? each.slice(0, limit) : "");
  return {
    entries: good.map((entry) => ({ hash: text(entry.hash, 2000), title: text(entry.title, 300), note: text(entry.note, 20000), run: text(entry.run, 200), at: text(entry.at, 40) })),
    refused: entries.length - good.length,
  };
}

/** Unite two lists; of two entries for one view the later one counts. */
export function mergeSaved(own, other) {
  const byHash = new Map(own.map((entry) => [entry.hash, entry]));
  for (const entry of other) {
    const present = byHash.get(entry.hash);
    if (!present || entry.at > present.at) byHash.set(entry.hash, entry);
  }
  return [...byHash.values()].sort((a, b) => (a.at < b.at ? 1 : -1));
}

let memory = []; // where the browser keeps nothing for pages from disk, a visit is remembered as long as the page is open

export function readSaved() {
  try {
    return checkSaved(JSON.parse(localStorage.getItem(KEY) ?? "{}")).entries;
  } catch {
    return memory;
  }
}

/** Keep the entries; returns false if the browser does not store them beyond this visit. */
export function writeSaved(entries) {
  memory = entries;
  try {
    localStorage.setItem(KEY, JSON.stringify({ format: KEY, version: 1, entries }));
    return true;
  } catch {
    return false;
  }
}
