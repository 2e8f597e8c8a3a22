"""Order and cycles of directed graphs, given as edges from child to parent."""

from collections.abc import Iterable, Mapping
from graphlib import CycleError, TopologicalSorter
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
Name = TypeVar("Name")


def depths(n_nodes: int, child: IntArray, parent: IntArray) -> IntArray:
    """Return the longest distance of each node from a node without parents.

    Nodes on a cycle, or below one, get -1.

    Args:
        n_nodes: number of nodes.
        child: node index of the lower end of each edge [n_edges].
        parent: node index of the upper end of each edge [n_edges].
    """
    by_parent = np.argsort(parent, kind="stable")
    starts = np.searchsorted(parent[by_parent], np.arange(n_nodes + 1)).tolist()
    children = child[by_parent].tolist()
    waiting = np.bincount(child, minlength=n_nodes).tolist()
    result = [-1] * n_nodes
    ready = [node for node in range(n_nodes) if waiting[node] == 0]
    level = 0
    while ready:
        following = []
        for node in ready:
            result[node] = level
            for lower in children[starts[node] : starts[node + 1]]:
                waiting[lower] -= 1
                if waiting[lower] == 0:  # its deepest parent is on this level
                    following.append(lower)
        ready = following
        level += 1
    return np.asarray(result, dtype=np.int64)


def cycle_of(edges: Iterable[tuple[Name, Name]]) -> list[Name]:
    """Return one cycle of (child, parent) edges, its first id repeated at the end; [] if there is none."""
    parents: dict[Name, list[Name]] = {}
    for child, parent in edges:
        parents.setdefault(child, []).append(parent)
    try:
        TopologicalSorter(parents).prepare()
    except CycleError as error:
        return list(reversed(error.args[1]))
    return []


def reached(start: Iterable[str], targets: Mapping[str, Iterable[str]]) -> set[str]:
    """Return all nodes that lie one edge or more from some nodes.

    Args:
        start: where to begin; a start is among the result only if a path leads back to it.
        targets: node to the ends of its edges.
    """
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        new = set(targets.get(waiting.pop(), ())) - found
        found |= new
        waiting += new
    return found
