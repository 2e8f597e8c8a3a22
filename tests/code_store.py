"""Codes of residues on disk, from values given residue by residue, for tests of what reads them."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from protsae.encoding.codes import CodedDictionary, CodeStore, CodeWriter
from protsae.encoding.run import Run
from protsae.metrics.association import ResidueCodes

RUN = Run("protsae", 0, "hook", 4)


def stored_codes(
    folder: Path,
    acts: Mapping[str, np.ndarray],
    split_of: Mapping[str, str],
    *,
    run: Run = RUN,
    concept_ids: Sequence[str] = (),
    logits: Mapping[str, np.ndarray] | None = None,
    residue_concepts: Sequence[int] = (),
    temporary: bool = False,
) -> CodeStore:
    """Return a store of latents, the positive ones of `acts` [length, n_latents] by protein.

    Args:
        folder: an empty folder.
        acts: in stored order.
        split_of: split of each protein.
        run: of the dictionary.
        concept_ids: of its first latents.
        logits: of concepts of residues, by protein.
        residue_concepts: which concepts these are.
        temporary: whether the folder goes with the store.
    """
    folder.mkdir(parents=True, exist_ok=True)
    d_sae = next(iter(acts.values())).shape[1]
    about = CodedDictionary(run, 4, d_sae, tuple(concept_ids), tuple(residue_concepts))
    with CodeWriter(folder, about) as writer:
        for name, values in acts.items():
            index, codes = np.arange(len(values)), ResidueCodes.of_dense(np.asarray(values, np.float32))
            of_protein = None if logits is None else logits[name]
            writer.add([name], split_of[name], [len(values)], [len(values)], index, codes, of_protein)
        return writer.close(temporary=temporary)
