// Data files are scripts that call protsaeData(run, name, value) (docs/decisions/0002-offline-explorer.md).
// A file is asked for by a name that this page builds from numbers; what nobody asked for is ignored.

const waiting = new Map();
const promises = new Map();

class BrokenData extends Error {}

/** The run that this page was made with: the name of its folder of data, repeated in every file. */
function pageRun() {
  return document.documentElement.dataset.run;
}

/** Receive a data file. */
export function receive(run, name, value) {
  const entry = waiting.get(name);
  if (!entry) return;
  waiting.delete(name);
  if (run === pageRun()) entry.resolve(value);
  else entry.reject(new BrokenData(`The file ${name}.js belongs to another run. Copy the whole folder again, or run the pipeline “explorer” again.`));
}

function addScript(file, onload, lost) {
  const script = document.createElement("script");
  script.src = `data/${pageRun()}/${file}`;
  script.onload = onload;
  script.onerror = lost;
  document.head.append(script);
}

/** Load one data file once; resolves to its value. */
export function load(name) {
  if (promises.has(name)) return promises.get(name);
  const promise = new Promise((resolve, reject) => {
    waiting.set(name, { resolve, reject });
    const lost = (why) => () => {
      if (!waiting.delete(name)) return;
      promises.delete(name); // the reader may try again
      reject(new BrokenData(`The file ${name}.js ${why}. Keep the folder “data” next to index.html, whole.`));
    };
    addScript(`${name}.js`, lost("does not hold what it should"), lost("is missing"));
  });
  promises.set(name, promise);
  return promise;
}

/** Load a library that the folder brings along; resolves when it has run. */
export function loadVendored(file) {
  if (!promises.has(file)) {
    promises.set(file, new Promise((resolve, reject) => {
      addScript(`vendor/${file}`, resolve, () => {
        promises.delete(file);
        reject(new BrokenData(`The file vendor/${file} is missing.`));
      });
    }));
  }
  return promises.get(file);
}

/** Decode a column: repeated texts come as codes and values. */
export function column(raw) {
  if (Array.isArray(raw) || !raw?.codes) return raw;
  return raw.codes.map((code) => (code < 0 ? null : raw.values[code]));
}

/** Decode a table: `n` and an array per column. */
export function table(raw) {
  if (!raw) return { n: 0, columns: {} };
  return { n: raw.n, columns: Object.fromEntries(Object.entries(raw.columns).map(([name, values]) => [name, column(values)])) };
}

const tables = new Map();

/** Load and decode a file that holds one table. */
export function loadTable(name) {
  if (!tables.has(name)) {
    const promise = load(name).then(table);
    promise.catch(() => tables.delete(name));
    tables.set(name, promise);
  }
  return tables.get(name);
}

/** Load the entry `index` of a table that is cut into files of `size` entries. */
export async function loadEntry(stem, index, size) {
  const entries = await load(`${stem}-${Math.floor(index / size)}`);
  return entries[index % size] ?? null;
}

/** Load all files of a table of `n` entries, one after the other joined. */
export async function loadAll(stem, n, size) {
  const files = await Promise.all(Array.from({ length: Math.ceil(n / size) }, (_, chunk) => load(`${stem}-${chunk}`)));
  return files.flat();
}
