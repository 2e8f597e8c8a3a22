// Parts that all pages are made of: panels with their downloads, tables, meters, chips, states.
import { announce, el, uniqueId } from "./dom.js";
import { anyValue, fixed, interval, isKnown, toTsv, words } from "./format.js";
import { term } from "./glossary.js";
import { figureNode, figurePng, figureSvg } from "./paint.js";

/** Hand a blob to the reader as a file. */
export function saveFile(name, blob) {
  const link = el("a", { href: URL.createObjectURL(blob), download: name.replace(/[^\w.+-]+/g, "_") });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Put a text on the clipboard. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Some browsers give pages from disk no clipboard: the older way copies a selection.
    const area = el("textarea", { class: "sr", "aria-hidden": "true" }, text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
}

function tool(label, title, action) {
  const button = el("button", { type: "button", class: "tool", "aria-label": title }, label);
  button.addEventListener("click", async () => {
    try {
      await action();
      button.textContent = label === "Copy" ? "Copied" : "Saved";
      announce(`${title}: done`);
    } catch {
      button.textContent = "Failed";
      announce(`${title}: failed`);
    }
    setTimeout(() => { button.textContent = label; }, 1500);
  });
  return button;
}

/**
 * A panel with a heading and what can be taken from it.
 *
 * @param title heading; `about` a sentence below it (text or nodes); `rows` a function that returns the header and the rows of its table
 * (copied and saved as TSV); `figure` a function that returns the figure (saved as SVG and PNG); `fasta` one that returns sequences; `file` the stem of file names; `wide` spans both columns.
 */
export function panel({ title, about, rows, figure, fasta, file, wide, level = 2, className = "" }, ...content) {
  const id = uniqueId("panel");
  const tools = [];
  if (rows) {
    tools.push(tool("Copy", `Copy the table “${title}”`, () => copyText(toTsv(rows()))));
    tools.push(tool("TSV", `Save the table “${title}” as TSV`, () => saveFile(`${file}.tsv`, new Blob([toTsv(rows())], { type: "text/tab-separated-values" }))));
  }
  if (fasta) tools.push(tool("FASTA", `Save the sequences of “${title}” as FASTA`, () => saveFile(`${file}.fasta`, new Blob([fasta()], { type: "text/plain" }))));
  if (figure) {
    tools.push(tool("SVG", `Save the figure “${title}” as SVG`, () => saveFile(`${file}.svg`, new Blob([figureSvg(figure())], { type: "image/svg+xml" }))));
    tools.push(tool("PNG", `Save the figure “${title}” as PNG`, async () => saveFile(`${file}.png`, await figurePng(figure()))));
  }
  return el("section", { class: `panel ${wide ? "wide" : ""} ${className}`, "aria-labelledby": id },
    el("div", { class: "panel-head" }, el(`h${level}`, { id }, title), tools.length > 0 && el("div", { class: "tools" }, tools)),
    about && el("p", { class: "about" }, about),
    content);
}

/**
 * A figure in a box: as wide as there is room, between `min` and `max`; where there is less, the box scrolls sideways.
 *
 * @param make returns the figure for a width
 */
export function figureBox(make, { min = 300, max = 620 } = {}) {
  const box = el("div", { class: "scroll figure-box", tabindex: 0, role: "region", "aria-label": make(max).label });
  let drawn = 0;
  new ResizeObserver(() => {
    const width = Math.round(Math.min(Math.max(box.clientWidth, min), max));
    if (width === drawn || box.clientWidth === 0) return;
    drawn = width;
    box.replaceChildren(figureNode(make(width)));
  }).observe(box);
  return box;
}

/** Panels in two columns; one that would stand alone in its line takes both. */
export function panelGrid(...content) {
  const panels = content.flat(Infinity).filter(Boolean);
  let single = null;
  for (const each of [...panels, null]) {
    if (each && !each.classList.contains("wide")) single = single ? null : each;
    else if (single) {
      single.classList.add("wide");
      single = null;
    }
  }
  return el("div", { class: "panels" }, panels);
}

/** What is shown where a run has nothing to show. */
export function empty(text) {
  return el("p", { class: "empty" }, text);
}

export function notice(...content) {
  return el("div", { class: "notice", role: "note" }, content);
}

/** Pairs of a label and a value; unknown values are left out. */
export function pairs(entries) {
  return el("dl", { class: "pairs" }, entries.filter(([, value]) => isKnown(value) && value !== MISSING_DASH).map(([label, value]) => el("div", null, el("dt", null, label), el("dd", null, value))));
}

const MISSING_DASH = "–";

/** A share between 0 and 1 as a bar, with its floor as a line. */
export function meter(value, floor, tip) {
  const bar = el("span", { class: "bar", "data-tip": tip, vars: { "--part": `${100 * Math.min(Math.max(value ?? 0, 0), 1)}%` } });
  if (isKnown(floor)) bar.append(el("i", { vars: { "--at": `${100 * floor}%` } }));
  return bar;
}

/** A score with its interval or its floor below it. */
export function score(value, { low, high, floor } = {}) {
  const range = interval(low, high);
  return el("span", { class: "score" }, el("b", null, fixed(value)), range && el("small", null, range), isKnown(floor) && el("small", null, `floor ${fixed(floor)}`));
}

export function aspectChip(aspect, aspects) {
  if (!aspect) return null;
  return el("span", { class: `aspect aspect-${aspect.toLowerCase()}`, title: aspects?.[aspect]?.name ?? aspect }, aspect);
}

/** A table of ready cells. `columns` are {label, number, term}; the first cell of a row is its heading. */
export function plainTable(columns, rows, { label, caption } = {}) {
  return el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": label },
    el("table", null, caption && el("caption", null, caption),
      el("thead", null, el("tr", null, columns.map((column) => el("th", { scope: "col", class: column.number && "number" }, column.term ? term(column.term, column.label) : column.label)))),
      el("tbody", null, rows.map((row) => el("tr", { class: row.className }, (row.cells ?? row).map((cell, index) => el(index === 0 ? "th" : "td", { scope: index === 0 && "row", class: columns[index]?.number && "number" }, cell)))))));
}

/** A table of records of unknown scalar columns. */
export function recordTable(records, { label, first = {}, left = [] } = {}) {
  const names = [...new Set(records.flatMap((record) => Object.keys(record)))].filter((name) => !left.includes(name) && !(name in first) && records.some((record) => isKnown(record[name]) && typeof record[name] !== "object"));
  const columns = [...Object.keys(first).map((name) => ({ label: name })), ...names.map((name) => ({ label: words(name), number: records.some((record) => typeof record[name] === "number") }))];
  return plainTable(columns, records.map((record) => [...Object.values(first).map((make) => make(record)), ...names.map((name) => anyValue(record[name]))]), { label });
}

/** Header and rows of records, for TSV. */
export function recordRows(records, names = [...new Set(records.flatMap((record) => Object.keys(record)))]) {
  return [names, ...records.map((record) => names.map((name) => (Array.isArray(record[name]) ? record[name].join(";") : record[name])))];
}

/** A box to tick. */
export function tick(label, value, change) {
  return el("label", { class: "check" }, el("input", { type: "checkbox", checked: value, onchange: (event) => change(event.target.checked) }), label);
}

/** Whether a method is a variant or a control that a first look can do without. */
export function isMinor(row) {
  return !row.floor && /_k\d+$|^random_|^neurons/.test(row.method ?? "");
}

/** A labelled choice. `options` are [value, text]. */
export function choice(label, options, value, change) {
  const select = el("select", { onchange: () => change(select.value) }, options.map(([key, text]) => el("option", { value: key }, text)));
  select.value = value ?? "";
  return el("label", { class: "choice" }, el("span", null, label), select);
}
