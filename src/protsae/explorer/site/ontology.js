// The place of a concept among its broader and narrower concepts. Pure functions.

/** Children of every concept, from the parents. */
export function childrenOf(parents) {
  const children = parents.map(() => []);
  parents.forEach((of, index) => (of ?? []).forEach((parent) => children[parent].push(index)));
  return children;
}

/** All that can be reached from `start` by `edges`, without `start`. */
export function reachable(edges, start) {
  const seen = new Set();
  const open = [...(edges[start] ?? [])];
  while (open.length > 0) {
    const next = open.pop();
    if (next === start || seen.has(next)) continue;
    seen.add(next);
    open.push(...(edges[next] ?? []));
  }
  return seen;
}

/**
 * Lay out a concept, its ancestors and its children in rows, broadest first.
 *
 * A row is the longest way to the concept, so that every line leads downwards. Children beyond `limit` are counted and not drawn.
 */
export function layOut(parents, concept, limit = 8) {
  const children = childrenOf(parents);
  const above = reachable(parents, concept);
  const depth = new Map([concept, ...above].map((node) => [node, 0]));
  // As many rounds as there are ancestors: enough for the longest way, and an end where the user's table has a circle.
  for (let round = 0, moved = true; moved && round < above.size; round += 1) {
    moved = false;
    for (const node of depth.keys()) {
      for (const parent of parents[node] ?? []) {
        if (!above.has(parent) || depth.get(parent) > depth.get(node)) continue;
        depth.set(parent, depth.get(node) + 1);
        moved = true;
      }
    }
  }
  const rows = [];
  for (const [node, level] of depth) (rows[level] ??= []).push(node);
  const below = children[concept].slice(0, limit);
  const layers = [...rows.reverse(), ...(below.length > 0 ? [below] : [])];
  const edges = [];
  for (const node of [concept, ...above]) for (const parent of parents[node] ?? []) if (above.has(parent)) edges.push([parent, node]);
  for (const child of below) edges.push([concept, child]);
  return { layers, edges, more: children[concept].length - below.length };
}
