"""Data files of steering: the designs of the pipeline, and arms side by side."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from protsae.core.errors import InputError
from protsae.explorer.latents import DataFile
from protsae.explorer.literals import coded, decimals, rounded, table, texts, whole
from protsae.explorer.overview import CHUNK
from protsae.explorer.rows import chunks
from protsae.explorer.tables import ExplorerTables
from protsae.steering.plan import INDEX_NAME, Designs

_MASK = "#"
_NUMBERS = (
    *("scale", "confidence", "pseudo_perplexity", "original_pseudo_perplexity"),
    *("target_score", "original_target_score", "off_target_change"),
)
_KEYS, _JUDGED = ("id", "go_id", "sample"), ("plddt", "original_plddt", "tm_score")
_ARMS = ("arm", "target", "score")
_DOSES = ("arm", "target", "strength", "score")


class Steered:
    """What the pipeline steering wrote, and the tables of arms.

    Args:
        tables: the tables of the run.
        most: designs that are shown.
        folder: of the pipeline; None, or an unfinished one: no designs.
        arms: CSV with `arm`, `target`, `score` and any other columns; None: not there.
        doses: CSV with `strength` in addition; None: not there.
        structures: CSV with what structures say of designs; None: not there.

    Raises:
        InputError: a table of arms is no CSV, or a column is missing.
    """

    def __init__(
        self,
        tables: ExplorerTables,
        most: int,
        folder: Path | None,
        arms: Path | None = None,
        doses: Path | None = None,
        structures: Path | None = None,
    ) -> None:
        self._tables, self._most, self._folder = tables, most, folder
        self.has_designs = folder is not None and (folder / INDEX_NAME).is_file()
        self._arms = {"arms": _read(arms, _ARMS), "doses": _read(doses, _DOSES)}
        self._structures = _read(structures, (*_KEYS, *_JUDGED))
        self.has_arms = any(found is not None for found in self._arms.values())

    def files(self) -> Iterator[DataFile]:
        """Yield the data files."""
        if self.has_arms:
            shown = {name: None if found is None else _columns(found) for name, found in self._arms.items()}
            yield "steering-arms", shown
        if self.has_designs and self._folder is not None:
            yield from self._designs(self._folder)

    def _designs(self, folder: Path) -> Iterator[DataFile]:
        made = Designs(folder)
        about, every = made.about, made.table
        designs = every[: self._most]
        judged = pd.DataFrame()
        if self._structures is not None:
            keyed = self._structures.drop_duplicates(list(_KEYS)).astype({"id": str, "go_id": str})
            judged = designs[list(_KEYS)].merge(keyed, how="left", on=list(_KEYS))
        targets = texts(designs["go_id"])
        latents = [
            int(name.removeprefix("latent ")) if name.startswith("latent ") else -1 for name in targets
        ]
        positions = designs["masked_sequence"].str.count(_MASK)
        yield (
            "steering",
            {
                "n_all": len(every),
                "dictionary": self._tables.dictionary_of(about.get("dictionary_sha256")),
                "perplexity_by": sorted(set(texts(designs["perplexity_by"]))),
                "settings": about["config"],
                "designs": table(
                    {
                        "id": coded(designs["id"]),
                        "protein": whole(self._tables.protein(texts(designs["id"]))),
                        "target": coded(targets),
                        "concept": whole(self._tables.concept(targets)),
                        "latent": latents,
                        "mode": coded(designs["mode"]),
                        **{name: whole(designs[name]) for name in ("sample", "seed", "n_mutations")},
                        "length": whole(designs["original_sequence"].str.len()),
                        "n_masked": whole(positions),
                        "identity": decimals(designs["identity"], 4),
                        **{name: rounded(designs[name]) for name in _NUMBERS},
                        **{name: rounded(judged[name]) for name in _JUDGED if name in judged},
                    }
                ),
            },
        )
        columns = ("original_sequence", "masked_sequence", "generated_sequence")
        for number, rows in chunks(len(designs), CHUNK["design"]):
            own = designs.iloc[rows.start : rows.stop][list(columns)].itertuples(index=False)
            yield (
                f"steering-{number}",
                [
                    {
                        "original": original,
                        "masked": [i for i, letter in enumerate(masked) if letter == _MASK],
                        "design": design,
                    }
                    for original, masked, design in own
                ],
            )


def _columns(found: pd.DataFrame) -> dict[str, Any]:
    return table(
        {
            str(name): rounded(column, 4) if column.dtype.kind in "iuf" else coded(column)
            for name, column in found.items()
        }
    )


def _read(path: Path | None, needed: tuple[str, ...]) -> pd.DataFrame | None:
    if path is None:
        return None
    try:
        found = pd.read_csv(path, keep_default_na=False, na_values=[""])
    except ValueError as error:  # pandas' errors of parsing are ValueErrors
        raise InputError(f"{path}: no CSV table ({error})") from error
    if missing := [name for name in needed if name not in found]:
        raise InputError(f"{path}: the column {missing[0]} is missing; it has {', '.join(map(str, found))}")
    for name in set(needed) - {"arm", "target", "id", "go_id"}:
        numbers = pd.to_numeric(found[name], errors="coerce")
        if len(wrong := found[name][numbers.isna() & found[name].notna()]):
            raise InputError(f"{path}: {name} holds {wrong.iloc[0]!r}, which is no number")
    return found
