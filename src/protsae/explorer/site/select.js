// Filtering and sorting of tables of columns. Nothing here touches the page: 40,000 rows have to take less than 100 ms.

/** Words of a query, lower case. */
export function queryWords(query) {
  return query.toLowerCase().split(/\s+/).filter((word) => word !== "");
}

/** Return the row numbers for which every test of `tests` holds. A test is a function of the row number. */
export function selectRows(n, tests) {
  const rows = new Int32Array(n);
  let count = 0;
  scan: for (let row = 0; row < n; row += 1) {
    for (const test of tests) if (!test(row)) continue scan;
    rows[count] = row;
    count += 1;
  }
  return rows.subarray(0, count);
}

/** A test that every word occurs in the row's text; `texts` are lower case. */
export function textTest(texts, query) {
  const wanted = queryWords(query);
  if (wanted.length === 0) return null;
  if (wanted.length === 1) return (row) => texts[row].includes(wanted[0]);
  return (row) => wanted.every((word) => texts[row].includes(word));
}

/** Sort row numbers in place by a column: numbers by value, texts by name, unknown values last in both directions. */
export function sortRows(rows, values, descending) {
  const isText = values.some((value) => typeof value === "string");
  if (isText) {
    // Ranks are computed once, so that the comparison of 40,000 rows is one of numbers.
    const distinct = [...new Set(values)].filter((value) => value !== null && value !== undefined).sort(new Intl.Collator("en", { numeric: true }).compare);
    const rank = new Map(distinct.map((value, index) => [value, index]));
    values = values.map((value) => rank.get(value) ?? null);
  }
  const direction = descending ? -1 : 1;
  const keys = Float64Array.from(values, (value) => (value === null || value === undefined || Number.isNaN(value) ? Infinity : direction * value));
  return rows.sort((a, b) => (keys[a] === keys[b] ? a - b : keys[a] - keys[b]));
}

/** The bands of density that the list of latents offers. */
export const DENSITY_BANDS = {
  dead: ["never active", (density) => density === 0],
  rare: ["up to 0.1 %", (density) => density > 0 && density <= 0.001],
  middle: ["0.1 to 10 %", (density) => density > 0.001 && density <= 0.1],
  dense: ["above 10 %", (density) => density > 0.1],
};

/** Tests for the filters of the list of latents; `wanted` is the query of the route. */
export function latentTests(columns, concepts, texts, wanted) {
  const tests = [];
  const equal = (key, values) => {
    const value = wanted.get(key);
    if (value && values) tests.push((row) => String(values[row]) === value);
  };
  equal("kind", columns.kind);
  equal("shape", columns.shape);
  equal("family", columns.family);
  equal("topic", columns.topic);
  equal("confidence", columns.confidence);
  const aspect = wanted.get("aspect");
  if (aspect) tests.push((row) => columns.concept[row] >= 0 && concepts.columns.aspect[columns.concept[row]] === aspect);
  const concept = wanted.get("concept");
  if (concept) tests.push((row) => columns.concept[row] >= 0 && concepts.columns.id[columns.concept[row]] === concept);
  const above = Number(wanted.get("above") || 0);
  if (wanted.get("above")) tests.push((row) => columns.f1[row] !== null && columns.f1[row] - columns.floor[row] >= above);
  const band = DENSITY_BANDS[wanted.get("density")];
  if (band) tests.push((row) => columns.density[row] !== null && band[1](columns.density[row]));
  const words = textTest(texts, wanted.get("q") ?? "");
  if (words) tests.push(words);
  return tests;
}
