"""Association counted one residue, instance and threshold at a time: what the fast way must equal."""

import numpy as np


def slow_counts(proteins, spans, known, largest, thresholds, n_concepts):
    """Return tp, fp and hits [n_concepts, n_latents, n_thresholds], and residues and instances [n_concepts].

    Args:
        proteins: protein id to dense activations [length, n_latents].
        spans: (protein id, concept, instance, start, end).
        known: set of (protein id, concept).
        largest: per latent.
    """
    n_latents = len(largest)
    shape = (n_concepts, n_latents, len(thresholds))
    tp, fp, hits = np.zeros(shape), np.zeros(shape), np.zeros(shape)
    n_positive, n_instances = np.zeros(n_concepts), np.zeros(n_concepts)
    for concept in range(n_concepts):
        domains = {}
        for protein, of, instance, start, end in spans:
            if of == concept and (protein, concept) in known:
                domains.setdefault((protein, instance), set()).update(range(start, end))
        domains = {key: rows for key, rows in domains.items() if rows}
        positive = {(key[0], row) for key, rows in domains.items() for row in rows}
        n_positive[concept], n_instances[concept] = len(positive), len(domains)
        for latent in range(n_latents):
            for t, threshold in enumerate(thresholds):
                fires = {
                    (protein, row)
                    for protein, acts in proteins.items()
                    for row, value in enumerate(acts[:, latent])
                    if (protein, concept) in known
                    and largest[latent] > 0
                    and float(value) / largest[latent] > threshold
                }
                tp[concept, latent, t] = len(fires & positive)
                fp[concept, latent, t] = len(fires - positive)
                hits[concept, latent, t] = sum(
                    any((protein, row) in fires for row in rows) for (protein, _), rows in domains.items()
                )
    return tp, fp, hits, n_positive, n_instances


def slow_f1(tp, fp, hits, n_positive, n_instances):
    """Return the residue-wise and the domain-aware F1 of single numbers."""
    precision = tp / (tp + fp) if tp + fp else 0.0
    found = []
    for part, whole in ((tp, n_positive), (hits, n_instances)):
        recall = part / whole if whole else 0.0
        found.append(2 * precision * recall / (precision + recall) if precision + recall else 0.0)
    return found
