"""One table of all metrics, every row with the run that it belongs to."""

from collections.abc import Sequence

import pandas as pd

from protsae.metrics.table import concat_metrics, metric_rows
from protsae.probing.encoding import Run, require_same_concepts
from protsae.sae.axioms import AxiomIndices
from protsae.sae.base import SparseAutoencoder
from protsae.sae.protsae import ProtSae
from protsae.training.data import ConceptAxioms
from protsae.training.validation import axiom_metrics


def subsumption_rows(
    sae: SparseAutoencoder, run: Run, axioms: pd.DataFrame, concepts: pd.DataFrame
) -> pd.DataFrame:
    """Return the rows of `subsumption_auc` and `axiom_violation`; none for a dictionary without concepts.

    They describe the geometry of the predictor, so they belong to no split; `n` is the number of concepts.
    """
    if not isinstance(sae, ProtSae):
        return metric_rows({}, method=run.method)
    require_same_concepts(sae, concepts)
    ordered = concepts.sort_values("concept_idx")
    ontology = ConceptAxioms.of(AxiomIndices.from_table(axioms, len(ordered)), ordered["aspect"].tolist())
    return metric_rows(
        axiom_metrics(sae, ontology),
        method=run.method,
        aspect="all",
        n=len(ordered),
        seed=run.seed,
        hook_point=run.hook_point,
        k=run.k,
        supervision="training",
    )


def all_metrics(
    measured: Sequence[pd.DataFrame],
    reconstructions: Sequence[pd.DataFrame],
    fidelity: Sequence[pd.DataFrame] = (),
) -> pd.DataFrame:
    """Stack scores and what else was `measured`, reconstruction and fidelity; rows that several dictionaries
    share, such as floors, once.

    Where fidelity has measured what reconstruction has, its row stands: it has an interval.
    """
    stood_in = concat_metrics([*fidelity])
    kept = [_without(table, stood_in) for table in reconstructions]
    return concat_metrics([*measured, *kept, stood_in]).drop_duplicates(ignore_index=True)


def _without(table: pd.DataFrame, others: pd.DataFrame) -> pd.DataFrame:
    """Leave out the rows whose method, split and metric `others` has over a whole split."""
    named = ["method", "split", "metric"]
    whole = others[(others["stratum"] == "") & (others["preset"] == "")]
    taken = pd.MultiIndex.from_frame(whole[named])
    return table[~pd.MultiIndex.from_frame(table[named]).isin(taken)]
