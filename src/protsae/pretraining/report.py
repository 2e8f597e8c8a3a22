"""What a language model knows of proteins that it was not trained on."""

from typing import TYPE_CHECKING, Any

import pandas as pd

from protsae.core.splits import HELD_OUT
from protsae.plm import load_plm
from protsae.pretraining.checkpoint import PretrainedPlm
from protsae.pretraining.config import PerplexityConfig
from protsae.pretraining.plan import split_proteins

if TYPE_CHECKING:
    from protsae.plm import PlmModel


def pretraining_report(
    made: PretrainedPlm, proteins: pd.DataFrame, config: PerplexityConfig
) -> dict[str, Any]:
    """Judge a trained model as its file holds it.

    Args:
        made: the model; it was chosen on the validation proteins, so only test is unbiased.
        proteins: `protein_id`, `sequence`, `split`.
        config: what is masked and cropped.

    Returns:
        JSON: the model, its settings, and for each split what `evaluation.summarise` returns.
    """
    from protsae.training.threads import torch_threads

    model = load_plm(made.path)
    with torch_threads(made.about["trainer"]["threads"]):
        splits = judge(model, proteins, config)
    about = {key: value for key, value in made.about.items() if key not in {"log", "fingerprint"}}
    return {
        "model": {
            "name": model.name,
            "sha256": model.sha256,
            "n_parameters": sum(parameter.numel() for parameter in model.module.parameters()),
        },
        "training": about,
        "evaluation": config.model_dump(),
        **splits,
    }


def judge(model: "PlmModel", proteins: pd.DataFrame, config: PerplexityConfig) -> dict[str, Any]:
    """Return the figures of held-out splits; the floor is the residue frequencies of split `train`.

    Raises:
        InputError: a split without proteins, or a letter that is no residue.
    """
    from protsae.core.devices import pick_device
    from protsae.pretraining.evaluation import draw_proteins, masked_scores, residue_frequencies, summarise

    frequencies = residue_frequencies(split_proteins(proteins, "train").sequences)
    device = pick_device("auto", "device")
    module = model.module.to(device)
    figures: dict[str, Any] = {}
    for name in HELD_OUT:
        sequences = split_proteins(proteins, name).sequences
        drawn = draw_proteins(sequences, config.max_proteins, config.seed)
        scores = masked_scores(module, [sequences[i] for i in drawn], config, device)
        figures[name] = {
            "n_in_split": len(sequences),
            **summarise(scores, frequencies, config.length_bands),
        }
    return figures
