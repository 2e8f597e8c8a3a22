// The one search: what is typed against names, ids, sentences, motifs and sequences, ranked. Pure functions.
import { queryWords } from "./select.js";

const KIND_ORDER = { concept: 0, latent: 1, protein: 2, motif: 3, sequence: 4 };

/** How well a document matches: 0 is not at all. An exact id is best, then names that start so, then whole words, then any place. */
export function matchScore(document, words, query) {
  const { id, name } = document;
  if (id === query) return 100;
  let score = id.startsWith(query) && query.length > 2 ? 60 : 0;
  if (name === query) return 90;
  if (name.startsWith(query)) score = Math.max(score, 50);
  let all = 0;
  for (const word of words) {
    const at = name.indexOf(word);
    if (at < 0) {
      if (!id.includes(word)) return score;
      all += 8;
    } else {
      const starts = at === 0 || !/[a-z0-9]/.test(name[at - 1]);
      const ends = at + word.length === name.length || !/[a-z0-9]/.test(name[at + word.length]);
      all += starts ? (ends ? 20 : 15) : 6;
    }
  }
  // Of two names that match alike, the shorter one says more of it.
  return Math.max(score, all / words.length + 10 * Math.min(1, query.length / Math.max(name.length, 1)));
}

/** Rank documents {kind, id, name (lower case), weight} against a query; the best `limit` of each kind. */
export function rankDocuments(documents, query, limit) {
  const text = query.trim().toLowerCase();
  const words = queryWords(text);
  if (words.length === 0) return [];
  const found = [];
  for (const document of documents) {
    const score = matchScore(document, words, text);
    if (score > 0) found.push({ document, score: score + (document.weight ?? 0) });
  }
  found.sort((a, b) => b.score - a.score || KIND_ORDER[a.document.kind] - KIND_ORDER[b.document.kind]);
  const counts = new Map();
  return found.filter(({ document }) => {
    const count = counts.get(document.kind) ?? 0;
    counts.set(document.kind, count + 1);
    return count < limit;
  }).map(({ document, score }) => ({ ...document, score }));
}

/** The fragment that a query may be: amino acids only, five or more; `X` stands for any. Null if it is none. */
export function asFragment(query) {
  const text = query.trim();
  const letters = text.toUpperCase();
  if (!/^[ACDEFGHIKLMNPQRSTVWYX]{5,}$/.test(letters)) return null;
  // A word in small letters, such as “kinase”, is a word unless it is long.
  return text === letters || letters.length > 9 ? letters : null;
}

/** Where a fragment occurs: [{protein, start}] with the first place in each protein, at most `limit`. */
export function findFragment(sequences, fragment, limit) {
  const pattern = new RegExp(fragment.replaceAll("X", "."));
  const found = [];
  for (let protein = 0; protein < sequences.length && found.length < limit; protein += 1) {
    const start = (sequences[protein] ?? "").search(pattern);
    if (start >= 0) found.push({ protein, start });
  }
  return found;
}
