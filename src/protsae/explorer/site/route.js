// Where the reader is, as text after `#`: `#/latent/protsae/12?tab=low`. Every view can be linked to.

/** Divide a hash into its path and its query. */
export function parseRoute(hash) {
  const [path, query = ""] = hash.replace(/^#\/?/, "").split(/\?(.*)/s);
  const decode = (part) => {
    try {
      return decodeURIComponent(part);
    } catch {
      return part; // a broken escape is shown as it is
    }
  };
  return { path: path.split("/").filter((part) => part !== "").map(decode), query: new Map(new URLSearchParams(query)) };
}

/** Make a hash of a path and a query; empty values are left out. */
export function makeRoute(path, query = {}) {
  const pairs = (query instanceof Map ? [...query] : Object.entries(query)).filter(([, value]) => value !== "" && value !== null && value !== undefined && value !== false);
  const search = new URLSearchParams(pairs.map(([key, value]) => [key, value === true ? "1" : String(value)])).toString();
  return `#/${path.map((part) => encodeURIComponent(part)).join("/")}${search ? `?${search}` : ""}`.replaceAll("%3A", ":").replaceAll("%2C", ",");
}

/** Change the query of the present view without a new entry in the history. */
export function replaceQuery(changes) {
  const { path, query } = parseRoute(location.hash);
  for (const [key, value] of Object.entries(changes)) query.set(key, value);
  history.replaceState(null, "", makeRoute(path, query));
  dispatchEvent(new Event("viewchange"));
}
