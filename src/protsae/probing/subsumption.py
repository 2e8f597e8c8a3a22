"""How well the geometry of a predictor obeys the ontology, as rows of the metrics table."""

import pandas as pd

from protsae.encoding.codes import require_concepts
from protsae.encoding.run import Run
from protsae.metrics.table import metric_rows
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
    require_concepts(sae.concept_ids, concepts)
    ontology = ConceptAxioms.of(AxiomIndices.from_table(axioms, len(concepts)), concepts["aspect"].tolist())
    return metric_rows(
        axiom_metrics(sae, ontology),
        **run.labels,
        aspect="all",
        n=len(concepts),
        supervision="training",
    )
