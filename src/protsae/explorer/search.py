"""The search index: what the lists of latents, concepts and proteins do not hold."""

from typing import Any

from protsae.explorer.literals import coded, table, texts
from protsae.explorer.tables import ExplorerTables


def search(tables: ExplorerTables) -> dict[str, Any]:
    """Return the data file `search`: consensus motifs of latents, and other ids of proteins."""
    rows: list[tuple[str, int | None, int, str]] = []
    for position, name in enumerate(tables.order):
        cards = tables.of[name].latent_cards
        if cards is not None and "consensus" in cards:
            pairs = zip(cards["latent"].tolist(), texts(cards["consensus"]), strict=True)
            rows += [("motif", position, latent, text) for latent, text in pairs if text.strip("x")]
    for row, aliases in enumerate(texts(tables.proteins["aliases"])):
        rows += [("protein", None, row, alias) for alias in aliases.split(";") if alias]
    kind, dictionary, index, text = zip(*rows, strict=True) if rows else ((), (), (), ())
    entries: dict[str, Any] = {
        "kind": coded(kind),
        "dictionary": list(dictionary),
        "index": list(index),
        "text": list(text),
    }
    return {"entries": table(entries)}
