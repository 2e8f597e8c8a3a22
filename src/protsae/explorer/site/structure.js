// A structure of the user's, coloured by a latent. 3Dmol.js (BSD-3-Clause, vendor/) is loaded only when one is shown.
import { el } from "./dom.js";
import { load, loadVendored } from "./store.js";
import { mix } from "./paint.js";

const PLAIN = "#c9d1da";

function hex(colour) {
  return `#${colour.match(/\d+/g).map((part) => Number(part).toString(16).padStart(2, "0")).join("")}`;
}

/** Colours per residue number of the file: what the mapping leaves out is grey. `parts` are shares of the latent's maximum. */
export function residueColours(map, parts, colour) {
  const colours = new Map();
  map.forEach((number, index) => {
    if (number !== null && number !== undefined) colours.set(number, parts ? hex(mix(PLAIN, colour, Math.min(parts[index], 1))) : PLAIN);
  });
  return colours;
}

/**
 * Show a structure.
 *
 * @param structure {file, kind, chain, map}; `parts` share of the latent's maximum per residue of the sequence, or null; `range` chosen residues or null.
 * @returns {node, paint(parts, colour, range)}
 */
export async function structureView(structure, label) {
  const [data] = await Promise.all([load(`structure-${structure.file}`), loadVendored("3Dmol-min.js")]);
  const library = globalThis.$3Dmol;
  library.notrack = true;
  const node = el("div", { class: "structure", role: "img", "aria-label": label });
  let viewer = null;
  const start = () => {
    if (viewer) return viewer;
    const dark = getComputedStyle(document.documentElement).getPropertyValue("--panel").trim();
    viewer = library.createViewer(node, { backgroundColor: dark, antialias: true });
    if (!viewer) throw new Error("This browser draws no 3-D graphics (WebGL).");
    viewer.addModel(data.text, structure.kind === "cif" ? "cif" : "pdb");
    return viewer;
  };
  return {
    node,
    paint(parts, colour, range) {
      const first = viewer === null;
      const view = start();
      const colours = residueColours(structure.map, parts, colour);
      const chain = structure.chain ? { chain: structure.chain } : {};
      view.setStyle({}, { cartoon: { color: PLAIN, opacity: 0.55 } });
      view.setStyle(chain, { cartoon: { colorfunc: (atom) => colours.get(atom.resi) ?? PLAIN } });
      if (range) {
        const numbers = structure.map.slice(range[0], range[1] + 1).filter((number) => number !== null);
        view.addStyle({ ...chain, resi: numbers }, { stick: { radius: 0.16, colorfunc: (atom) => colours.get(atom.resi) ?? PLAIN } });
      }
      if (first) view.zoomTo();
      view.render();
    },
  };
}
