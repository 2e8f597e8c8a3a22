// A design next to the sequence that it comes from. Pure functions: both have the same length, since steering only substitutes.

export const KEPT = "kept"; // not masked, so it could not change
export const SAME = "same"; // masked, and written as it was
export const CHANGED = "changed";

/** The state of each residue; `masked` holds 0-based positions. */
export function designStates(original, design, masked) {
  const hidden = new Set(masked);
  return Array.from(original, (letter, index) => (letter !== design[index] ? CHANGED : hidden.has(index) ? SAME : KEPT));
}

/** What differs: {at (0-based), from, to}. */
export function substitutions(original, design) {
  return Array.from(original, (from, at) => ({ at, from, to: design[at] })).filter((each) => each.from !== each.to);
}

/** Stretches of equal states within lines of `width` residues: per line {start, parts: [{state, from, to (exclusive)}]}. */
export function stateLines(states, width) {
  const lines = [];
  for (let start = 0; start < states.length; start += width) {
    const parts = [];
    for (let index = start; index < Math.min(start + width, states.length); index += 1) {
      const last = parts.at(-1);
      // Changed residues stand alone, so that each can be pointed at.
      if (last && last.state === states[index] && states[index] !== CHANGED) last.to = index + 1;
      else parts.push({ state: states[index], from: index, to: index + 1 });
    }
    lines.push({ start, parts });
  }
  return lines;
}

/** The amino acids that were written at masked residues, the commonest three: a design of one letter shows here. */
export function writtenMost({ design, masked }) {
  const counts = new Map();
  for (const index of masked) counts.set(design[index], (counts.get(design[index]) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, 3).map(([letter, n]) => `${letter} ${n}`).join(", ");
}

/** The sign between both sequences: a dot for a change, a colon for a masked residue that stayed. */
export const SIGNS = { [KEPT]: " ", [SAME]: ":", [CHANGED]: "●" };

/** A header and a sequence in lines of 60; nothing in the header may end its line. */
export function fastaEntry(name, sequence) {
  return `>${name.replace(/[\r\n\u2028\u2029]+/g, " ")}\n${sequence.replace(/.{1,60}/g, "$&\n")}`;
}
