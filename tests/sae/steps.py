"""Training steps without the trainer: what it does to a module, and no more."""

from dataclasses import replace

import torch

from protsae.sae.base import SparseAutoencoder, StepOutput, TrainingBatch


def train(
    sae: SparseAutoencoder, batches: list[TrainingBatch], learning_rate: float = 1e-2
) -> list[StepOutput]:
    """Make one step per batch, and return their outcomes."""
    factors = sae.rate_factors()
    groups = [
        {"params": [parameter], "lr": learning_rate * factors.get(name, 1.0)}
        for name, parameter in sae.named_parameters()
        if parameter.requires_grad
    ]
    optimiser = torch.optim.Adam(groups)
    outputs = []
    for step, given in enumerate(batches):
        batch = replace(given, progress=step / len(batches))
        output = sae.step_output(batch)
        optimiser.zero_grad()
        output.losses["loss/total"].backward()
        sae.project_decoder_gradient()
        optimiser.step()
        sae.normalise_decoder()
        sae.after_step(batch, output)
        outputs.append(output)
    return outputs
