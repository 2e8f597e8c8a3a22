// Numbers as they are shown. What is not known is a dash.

const MISSING = "–";

export function isKnown(value) {
  return value !== null && value !== undefined && value !== "" && !Number.isNaN(value);
}

/** Whether a value is an index of a table: not null, not -1. */
export function isIndex(value) {
  return Number.isInteger(value) && value >= 0;
}

/** A score between 0 and 1, three decimals. */
export function fixed(value, digits = 3) {
  return isKnown(value) ? Number(value).toFixed(digits).replace("-", "−") : MISSING;
}

/** A difference with its sign. */
export function signed(value, digits = 3) {
  return isKnown(value) ? (value >= 0 ? "+" : "") + fixed(value, digits) : MISSING;
}

export function integer(value) {
  return isKnown(value) ? Math.round(value).toLocaleString("en") : MISSING;
}

/** A share as a percentage, with enough digits for rare events. */
export function percent(value) {
  if (!isKnown(value)) return MISSING;
  const part = 100 * value;
  if (part === 0) return "0 %";
  if (part < 0.01) return "< 0.01 %";
  return `${part >= 10 ? part.toFixed(0) : part >= 1 ? part.toFixed(1) : part.toFixed(2)} %`;
}

/** Three significant digits, for activations. */
export function significant(value) {
  return isKnown(value) ? String(Number(Number(value).toPrecision(3))) : MISSING;
}

/** The same with its sign. */
export function signedSignificant(value) {
  return isKnown(value) ? `${value > 0 ? "+" : ""}${significant(value)}`.replace("-", "−") : MISSING;
}

/** `low to high`, or nothing if there is no interval. */
export function interval(low, high, show = fixed) {
  return isKnown(low) && isKnown(high) ? `${show(low)} to ${show(high)}` : "";
}

/** A column name as words: `n_clusters_test` is `clusters test`. */
export function words(name) {
  return name.replace(/^n_/, "").replaceAll("_", " ");
}

export function plural(n, one, many = `${one}s`) {
  return `${integer(n)} ${n === 1 ? one : many}`;
}

/** A cell of a table of unknown columns. */
export function anyValue(value) {
  if (!isKnown(value)) return MISSING;
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value !== "number") return Array.isArray(value) ? value.join(", ") : String(value);
  if (Number.isInteger(value)) return integer(value);
  return Math.abs(value) < 1e-3 ? value.toExponential(1).replace("-", "−") : significant(value);
}

/** Rows of cells as TSV: tabs and line ends inside a cell become spaces; a cell that a spreadsheet would run as a formula gets an apostrophe. */
export function toTsv(rows) {
  const cell = (value) => {
    const text = isKnown(value) ? String(value).replace(/[\t\r\n]+/g, " ") : "";
    return typeof value === "string" && /^[=+@-]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text;
  };
  return rows.map((row) => row.map(cell).join("\t")).join("\n") + "\n";
}
