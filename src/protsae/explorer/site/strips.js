// Heat strips: a window of a protein, each residue coloured by the latent's activation.
import { el, hideTip, showTip } from "./dom.js";

/** Letters over activations. `start` is 0-based; `full` the activation of the darkest colour. Arrow keys read single residues. */
export function residueRow({ seq, acts, start, peak, name }, full) {
  const value = (index) => String(acts[index] ?? 0); // as in the data, not rounded once more
  const row = el("div", { class: "residues-row", tabindex: 0, role: "group", "aria-label": `Residues ${start + 1} to ${start + seq.length} of ${name}, strongest at ${peak + 1} with ${value(peak - start)}. Arrow keys read single residues.` });
  [...seq].forEach((letter, index) => {
    const part = full > 0 ? Math.min((acts[index] ?? 0) / full, 1) : 0;
    // Where black or white letters have the better contrast, in light (hot) and in dark (warm) colours.
    const cell = el("span", { class: `${part > 0.94 ? "hot" : part > 0.63 ? "warm" : ""} ${start + index === peak ? "peak" : ""}`, vars: { "--heat-part": part.toFixed(3) } }, letter);
    cell.dataset.value = `${letter}${start + index + 1}: ${value(index)}`;
    row.append(cell);
  });
  let at = -1;
  const point = (cell) => {
    row.querySelector(".at")?.classList.remove("at");
    cell?.classList.add("at");
    if (cell) showTip(cell.dataset.value, cell);
    else hideTip();
  };
  row.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    at = at < 0 ? peak - start : Math.min(Math.max(at + step, 0), row.children.length - 1);
    point(row.children[at]);
    document.getElementById("live").textContent = row.children[at].dataset.value;
  });
  row.addEventListener("blur", () => { at = -1; point(null); });
  row.addEventListener("pointerover", (event) => { if (event.target !== row) point(event.target); });
  row.addEventListener("pointerleave", () => point(null));
  return row;
}
