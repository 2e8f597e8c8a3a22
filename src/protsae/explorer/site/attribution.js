// Which residues and which latents carry a prediction: strips over a protein, for the pages of proteins and of predictions.
import { atlas, conceptLink, concepts, dictionaryLabel, latentLabel, proteinHref } from "./atlas.js";
import { axisTicks } from "./charts.js";
import { announce, el, hideTip, showTip } from "./dom.js";
import { fixed, integer, isIndex, isKnown, signedSignificant, significant, words } from "./format.js";
import { term } from "./glossary.js";
import { CanvasPainter, OKABE, mix, pageColours, sizeCanvas } from "./paint.js";
import { choice, notice, panel, plainTable } from "./panel.js";
import { replaceQuery } from "./route.js";
import { load } from "./store.js";

const STRIPS = [["at_input", "at the input"], ["at_hook_point", "at the hook point"], ["occlusion", "occlusion"]];
const [STRIP_HEIGHT, REGION_HEIGHT, STRIPS_TOP] = [58, 28, 28];
const FIRST_LATENTS = 7;
const [FOR, AGAINST] = [OKABE[0], OKABE[1]];

/** The region that a residue lies in, or null. */
export function regionAt(regions, residue) {
  return regions.find((each) => each.start <= residue && residue < each.end) ?? null;
}

/** The value of the largest size in each of `columns` equal parts. */
export function extremes(values, columns) {
  return Array.from({ length: columns }, (_, column) => {
    const first = Math.floor((column * values.length) / columns);
    const last = Math.max(Math.floor(((column + 1) * values.length) / columns), first + 1);
    let found = 0;
    for (let index = first; index < last; index += 1) if (Math.abs(values[index] ?? 0) > Math.abs(found)) found = values[index];
    return found;
  });
}

/** Residues by the size of a value, the largest first; unknown values are left out. */
export function strongest(values, n) {
  return values.map((value, index) => ({ value, index })).filter((each) => isKnown(each.value)).sort((a, b) => Math.abs(b.value) - Math.abs(a.value) || a.index - b.index).slice(0, n).map((each) => each.index);
}

/** All that is known of one residue, as a line. */
export function residueText(found, sequence, residue) {
  const region = regionAt(found.regions, residue);
  const parts = STRIPS.filter(([key]) => found[key]).map(([key, label]) => `${label} ${signedSignificant(found[key][residue])}`);
  return [`${sequence[residue]}${residue + 1}`, found.masked.includes(residue) && "masked", ...parts, region && `region ${region.start + 1} to ${region.end}, rank ${region.rank}`].filter(Boolean).join(" · ");
}

function stripFigure(found, sequence, width, cursor, label) {
  const length = sequence.length;
  const left = Math.min(150, Math.max(116, width * 0.14));
  const each = (width - left - 10) / length;
  const x = (residue) => left + residue * each;
  const strips = STRIPS.filter(([key]) => found[key]);
  const hasLetters = each >= 7.5;
  const regions = STRIPS_TOP + strips.length * STRIP_HEIGHT;
  const bottom = regions + (found.regions.length > 0 ? REGION_HEIGHT : 0);
  return {
    width, height: bottom + (hasLetters ? 22 : 6), label,
    residueAt: (at) => Math.min(Math.max(Math.floor((at - left) / each), 0), length - 1),
    placeOf: (residue) => x(residue + 0.5),
    draw(painter, colours) {
      for (const tick of axisTicks(0, length, Math.max(Math.floor((width - left) / 90), 2))) {
        const place = Math.max(tick, 1);
        if (place > length) continue;
        painter.line([[x(place - 0.5), 18], [x(place - 0.5), bottom]], colours.line);
        painter.text(x(place - 0.5), 12, String(place), colours.muted, { size: 11, anchor: "middle" });
      }
      for (const residue of found.masked) painter.rect(x(residue), 18, Math.max(each, 1.5), bottom - 18, colours.muted, { opacity: 0.28 });
      const columns = Math.min(length, Math.max(Math.floor(width - left - 10), 1));
      strips.forEach(([key, text], row) => {
        const top = STRIPS_TOP + row * STRIP_HEIGHT;
        const bars = extremes(found[key], columns);
        const most = Math.max(...bars.map(Math.abs)) || 1;
        const half = bars.some((value) => value < 0) ? (STRIP_HEIGHT - 12) / 2 : STRIP_HEIGHT - 12;
        const zero = top + 2 + half;
        painter.text(4, top + 16, text, colours.ink, { size: 12 });
        painter.text(4, top + 31, `largest ${significant(most)}`, colours.muted, { size: 11 });
        painter.line([[left, zero], [width - 10, zero]], colours.muted);
        bars.forEach((value, column) => {
          if (value === 0) return;
          const tall = Math.max((Math.abs(value) / most) * half, 0.6);
          const wide = (width - left - 10) / columns;
          painter.rect(left + column * wide, value > 0 ? zero - tall : zero, Math.max(wide - (wide > 4 ? 1 : 0), 0.8), tall, value > 0 ? FOR : AGAINST);
        });
      });
      if (found.regions.length > 0) painter.text(4, regions + 16, "regions by rank", colours.ink, { size: 12 });
      for (const region of found.regions) {
        const part = 1 - (region.rank - 1) / Math.max(found.regions.length, 1);
        const wide = x(region.end) - x(region.start);
        painter.rect(x(region.start) + 0.5, regions + 2, wide - 1, REGION_HEIGHT - 6, mix(colours.panel, colours.muted, 0.12 + 0.5 * part ** 3), { stroke: colours.line });
        if (wide > 7 * String(region.rank).length + 4) painter.text(x(region.start) + wide / 2, regions + 16, String(region.rank), colours.ink, { size: 11, anchor: "middle", weight: region.rank <= 3 ? 700 : 400 });
      }
      if (hasLetters) [...sequence].forEach((letter, residue) => painter.text(x(residue + 0.5), bottom + 14, letter, colours.ink, { size: 10.5, anchor: "middle", mono: true }));
      if (isKnown(cursor)) painter.rect(x(cursor) - 0.5, 18, Math.max(each, 1) + 1, bottom - 18, colours.accent, { opacity: 0.3 });
    },
  };
}

/** The figure on a canvas; a slider over residues, which the pointer and the arrow keys move. */
function stripCanvas(found, sequence, label, zoom) {
  let cursor = null;
  let figure = null;
  let frame = 0;
  const canvas = el("canvas", { class: "strip-canvas" });
  const slider = el("div", { class: "strip-slider", role: "slider", tabindex: 0, "aria-label": `${label}. Arrow keys read single residues.`, "aria-valuemin": 1, "aria-valuemax": sequence.length, "aria-valuenow": 1, "aria-valuetext": "no residue chosen" }, canvas);
  const holder = el("div", { class: "scroll" }, slider);
  const draw = () => {
    frame = 0;
    if (holder.clientWidth === 0) return;
    figure = stripFigure(found, sequence, Math.max(holder.clientWidth * zoom(), 250), cursor, label);
    const context = sizeCanvas(canvas, figure.width, figure.height, Math.min(devicePixelRatio || 1, 30000 / figure.width));
    canvas.style.setProperty("width", `${figure.width}px`);
    canvas.style.setProperty("height", `${figure.height}px`);
    figure.draw(new CanvasPainter(context), pageColours());
  };
  const redraw = () => { frame ||= requestAnimationFrame(draw); };
  new ResizeObserver(redraw).observe(holder);
  const point = (residue, event) => {
    if (residue !== cursor) {
      cursor = residue;
      const text = residueText(found, sequence, residue);
      slider.setAttribute("aria-valuenow", residue + 1);
      slider.setAttribute("aria-valuetext", text);
      redraw();
    }
    const box = canvas.getBoundingClientRect();
    showTip(slider.getAttribute("aria-valuetext"), slider, event ? { x: event.clientX, y: event.clientY } : { x: box.left + figure.placeOf(residue), y: box.top + 20 });
  };
  const leave = () => {
    hideTip();
    cursor = null;
    redraw();
  };
  slider.addEventListener("pointermove", (event) => { if (figure) point(figure.residueAt(event.clientX - canvas.getBoundingClientRect().left), event); });
  slider.addEventListener("pointerleave", leave);
  slider.addEventListener("blur", leave);
  slider.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowUp: 1, ArrowLeft: -1, ArrowDown: -1, PageUp: 10, PageDown: -10, Home: -Infinity, End: Infinity }[event.key];
    if (!step || !figure) return;
    event.preventDefault();
    const next = Math.min(Math.max((cursor ?? (step > 0 ? -1 : 1)) + step, 0), sequence.length - 1);
    const place = figure.placeOf(next);
    if (place < holder.scrollLeft || place > holder.scrollLeft + holder.clientWidth) holder.scrollLeft = place - holder.clientWidth / 2;
    point(next);
  });
  return { node: holder, redraw, figure: () => stripFigure(found, sequence, 900, null, label) };
}

function latentTable(found, dictionary, conceptTable, n) {
  const most = Math.max(...found.latents.map((each) => Math.abs(each.integrated_gradients)));
  return plainTable([{ label: "Latent" }, { label: "Integrated gradients", number: true, term: "integrated" }, { label: "Ablation", number: true, term: "ablation" }, { label: "Gate", number: true, term: "mask" }, { label: "Residues", number: true }], found.latents.slice(0, n).map((each) => [
    each.latent < 0 ? [el("span", null, "error of the dictionary"), el("small", null, "what no latent reconstructs")] : latentLabel(dictionary, conceptTable, each.latent),
    [signedSignificant(each.integrated_gradients), el("span", { class: `lean ${each.integrated_gradients < 0 ? "against" : ""}`, vars: { "--part": `${(100 * Math.abs(each.integrated_gradients)) / (most || 1)}%` } })],
    signedSignificant(each.ablation), fixed(each.learned_mask, 2), integer(each.n_residues),
  ]), { label: n ? "Latents that carry the prediction" : "The strongest latents" });
}

/** The panel of all predictions of a protein that were attributed; null if there are none. */
export async function attributionPanel(entry, query, stem) {
  const all = entry.attributions ?? [];
  if (all.length === 0) return null;
  const { sequence } = entry;
  const conceptTable = await concepts();
  let which = Math.min(Math.max(Number(query.get("target")) || 0, 0), all.length - 1);
  let zoom = Number(query.get("tzoom")) > 1 ? Number(query.get("tzoom")) : 1;
  let canvas = null;
  let found = null;
  const body = el("div");
  const title = (each) => (each.kind === "predictor" ? (each.name || each.label) : each.kind === "latent" ? `${isIndex(each.dictionary) ? dictionaryLabel(each.dictionary) : "release"} ${each.label}` : `what is written at ${each.label}`);
  const show = async () => {
    const each = all[which];
    canvas = null;
    found = null;
    if (each.note) {
      body.replaceChildren(notice("Not attributed. ", each.note));
      return;
    }
    const loaded = await load(`attribution-${each.file}`);
    if (each !== all[which]) return; // the reader has chosen another one
    found = loaded;
    canvas = stripCanvas(found, sequence, `What carries ${title(each)}, residue by residue`, () => zoom);
    const top = strongest(found.at_input, 10);
    body.replaceChildren(
      el("p", { class: "tags" }, each.kind === "predictor" && el("span", null, conceptLink(conceptTable, each.concept)), each.kind === "latent" && el("span", null, latentLabel(each.dictionary, conceptTable, each.latent)),
        el("span", null, `${each.kind === "predictor" ? "logit" : "score"} ${signedSignificant(each.full)} with all latents, ${signedSignificant(each.empty)} without any`), isKnown(each.is_annotated) && el("span", null, each.is_annotated ? "annotated" : "not annotated"), el("span", null, `read at ${found.hook_point}`)),
      el("ul", { class: "map-key" }, el("li", null, el("i", { vars: { "--swatch": FOR } }), "up: for the prediction"), el("li", null, el("i", { vars: { "--swatch": AGAINST } }), "down: against it"), found.masked.length > 0 && el("li", null, el("i", { class: "square", vars: { "--swatch": "var(--muted)" } }), "masked")),
      canvas.node,
      el("div", { class: "two" },
        el("div", null, el("h3", null, "Latents that carry it"), latentTable(found, each.dictionary, conceptTable, FIRST_LATENTS)),
        el("div", null, el("h3", null, "Residues that carry it"), plainTable([{ label: "Residue" }, { label: "At the input", number: true, term: "at_input" }, { label: "At the hook point", number: true, term: "at_hook" }, { label: "Occlusion", number: true, term: "occlusion" }, found.regions.length > 0 && { label: "Region’s rank", number: true, term: "region" }].filter(Boolean),
          top.map((residue) => [`${sequence[residue]}${residue + 1}`, ...STRIPS.map(([key]) => signedSignificant(found[key][residue])), ...(found.regions.length > 0 ? [integer(regionAt(found.regions, residue)?.rank)] : [])]), { label: "Residues that carry the prediction" }))),
      found.latents.length > FIRST_LATENTS && el("details", { class: "more" }, el("summary", null, `The ${found.latents.length} strongest of ${integer(found.n_latents)}, the error among them`), latentTable(found, each.dictionary, conceptTable)),
      el("details", { class: "more" }, el("summary", null, "How few suffice: methods against a random order"), plainTable([{ label: "Of" }, { label: "Method" }, { label: "Latents for 90 %", number: true }, { label: "settled from", number: true }, { label: "Insertion", number: true }, { label: "Deletion", number: true }], found.summary.map((row) => [row.what, words(row.method), integer(row.n_kept), integer(row.n_settled), fixed(row.insertion_auc), fixed(row.deletion_auc)]), { label: "Methods" })));
  };
  await show();
  const rows = () => [["residue", "amino_acid", "is_masked", ...STRIPS.map(([key]) => key), "region_rank"], ...[...sequence].map((letter, residue) => [residue + 1, letter, found.masked.includes(residue), ...STRIPS.map(([key]) => found[key][residue]), regionAt(found.regions, residue)?.rank])];
  return panel({
    title: "What carries a prediction", wide: true, file: `${stem}_attribution`, figure: found ? () => canvas.figure() : undefined, rows: found ? rows : undefined,
    about: ["The score of a ", term("latent", "latent"), ", a concept’s predictor or the language model, divided among residues: at the input (which amino acids it comes from), at the hook point (where it is read) and by ", term("occlusion", "occlusion"), ". It says what the model relies on, not what is true of the protein."],
  },
  el("div", { class: "controls" }, all.length > 1 && choice("Prediction", all.map((each, index) => [String(index), title(each).slice(0, 60)]), String(which), async (value) => {
    which = Number(value);
    replaceQuery({ target: which || "" });
    await show();
    announce(`Attribution of ${title(all[which])}`);
  }), choice("Zoom", [["1", "whole protein"], ["2", "2 ×"], ["4", "4 ×"], ["8", "8 ×"]], String(zoom), (value) => {
    zoom = Number(value);
    replaceQuery({ tzoom: zoom === 1 ? "" : value });
    canvas?.redraw();
  })), body);
}

/** Links to all proteins whose predictions were attributed, for the list of proteins; null if there are none. */
export async function attributedNotice() {
  if (!atlas.index.has?.attribution) return null;
  const all = (await load("attributions")).filter((each) => each.in_run);
  const ids = [...new Set(all.map((each) => each.id))];
  if (ids.length === 0) return null;
  const links = ids.slice(0, 12).map((id, index) => [index > 0 && ", ", el("a", { href: proteinHref(id) }, id)]);
  return notice("Predictions were divided among residues and latents for ", links, ids.length > 12 && ` and ${ids.length - 12} more`, ".");
}

