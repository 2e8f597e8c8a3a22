// A list of any length: only the rows in view exist. Rows are of one height.
import { announce, el } from "./dom.js";
import { plural } from "./format.js";

const ROW = 52;

/**
 * A list that scrolls with the page.
 *
 * @param columns {key, label, className, number, sort}: `sort` names what the heading sorts by; `cells(row)` returns the cells of a row, `href(row)` its page.
 */
export function rowList({ label, columns, cells, href, noun, onSort }) {
  const body = el("div", { class: "rows-body", role: "rowgroup" });
  const headings = columns.map((column) => {
    const inside = column.sort ? el("button", { type: "button", onclick: () => onSort(column.sort) }, column.label) : column.label;
    return el("div", { role: "columnheader", class: `cell ${column.className ?? ""} ${column.number ? "number" : ""}`, title: column.title }, inside);
  });
  const head = el("div", { class: "rows-head", role: "rowgroup" }, el("div", { class: "row", role: "row" }, headings));
  const node = el("div", { class: "rows", role: "table", "aria-label": label, vars: { "--row": `${ROW}px` } }, head, body);
  const count = el("p", { class: "count", role: "status" });
  let shown = [];
  let drawn = new Map();
  let frame = 0;

  const makeRow = (position) => {
    const row = shown[position];
    const made = cells(row).map((cell, index) => el("div", { role: index === 0 ? "rowheader" : "cell", class: `cell ${columns[index].className ?? ""} ${columns[index].number ? "number" : ""}` }, cell));
    const line = el("div", { class: "row", role: "row", "aria-rowindex": position + 2, vars: { "--top": `${position * ROW}px` } }, made);
    line.addEventListener("click", (event) => { if (!event.target.closest("a, button") && !getSelection().toString()) location.hash = href(row); });
    return line;
  };

  const draw = () => {
    frame = 0;
    if (!node.isConnected) return;
    const top = body.getBoundingClientRect().top;
    const first = Math.max(Math.floor(-top / ROW) - 8, 0);
    const last = Math.min(Math.ceil((innerHeight - top) / ROW) + 8, shown.length);
    const next = new Map();
    for (let position = first; position < last; position += 1) next.set(position, drawn.get(position) ?? makeRow(position));
    // A row with the focus stays while the reader tabs through it.
    for (const [position, line] of drawn) if (!next.has(position)) line.contains(document.activeElement) ? next.set(position, line) : line.remove();
    const order = [...next.keys()].sort((a, b) => a - b);
    let before = null;
    for (const position of order.reverse()) {
      const line = next.get(position);
      if (line.parentNode !== body) body.insertBefore(line, before);
      before = line;
    }
    drawn = next;
  };
  const later = () => { frame ||= requestAnimationFrame(draw); };
  addEventListener("scroll", later, { passive: true });
  addEventListener("resize", later);

  return {
    node,
    count,
    /** Stop listening, when the page is left. */
    stop() {
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
    },
    /** Draw the rows again, for instance after texts have arrived. */
    refresh() {
      drawn.forEach((line) => line.remove());
      drawn = new Map();
      draw();
    },
    /** Show these rows of `all`, sorted by `sort`. */
    show(rows, all, sort, descending) {
      shown = rows;
      body.style.setProperty("height", `${Math.max(rows.length, 1) * ROW}px`);
      body.classList.toggle("none", rows.length === 0);
      node.setAttribute("aria-rowcount", String(rows.length + 1));
      columns.forEach((column, index) => {
        if (column.sort === sort) headings[index].setAttribute("aria-sort", descending ? "descending" : "ascending");
        else headings[index].removeAttribute("aria-sort");
      });
      const text = rows.length === all ? plural(all, noun) : `${rows.length.toLocaleString("en")} of ${plural(all, noun)}`;
      count.textContent = text;
      announce(text);
      this.refresh();
    },
  };
}
