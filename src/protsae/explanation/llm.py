"""Explanations by a large language model: what is asked, in two rounds."""

import pandas as pd

from protsae.core.seeding import numpy_generator
from protsae.explanation.answers import AnswerFolder, LlmPlan
from protsae.explanation.config import LlmConfig
from protsae.explanation.explainer import Explainer
from protsae.explanation.prompts import explain_prompt, score_prompts


def plan_explanations(explainer: Explainer, rules: pd.DataFrame, config: LlmConfig) -> LlmPlan:
    """Ask what the latents with the best rules do; nothing where the model is off.

    Args:
        explainer: has the windows.
        rules: explanations by rules, in the columns `tables.COLUMNS`.
        config: which model, and of how many latents.
    """
    if config.use == "off":
        return LlmPlan((), config)
    scored = rules[(rules["n_scored"] > 0) & rules["validation"].notna()]
    best = scored.sort_values(["validation", "latent"], ascending=[False, True]).head(config.n_latents)
    prompts = []
    for latent, known in zip(best["latent"].tolist(), best["sentence"], strict=True):
        windows = explainer.windows(latent, "choose")
        if windows is not None:
            prompts.append(explain_prompt(latent, known, explainer.choosing, windows, config.n_examples))
    return LlmPlan(tuple(prompts), config)


def plan_scores(explainer: Explainer, explained: AnswerFolder, config: LlmConfig) -> LlmPlan:
    """Ask the three tests for every explanation that the model wrote, and for another latent's in its place;
    nothing where the model does not score.

    Args:
        explainer: has the windows.
        explained: what the model wrote.
        config: which model, and how many windows.
    """
    said = explained.sentences()
    if config.use != "explain_and_score" or not said:
        return LlmPlan((), config)
    latents, seed = sorted(said), explainer.config.seed
    order = numpy_generator(seed, "shuffled_llm_explanations").permutation(len(latents)).tolist()
    # The next one on a random circle: each explanation serves once, and none its own latent.
    other = {latents[a]: latents[b] for a, b in zip(order, order[1:] + order[:1], strict=True)}
    prompts = []
    for latent in latents:
        windows = explainer.windows(latent, "test")
        if windows is None:
            continue
        for source in dict.fromkeys((latent, other[latent])):
            prompts += score_prompts(
                latent,
                said[source],
                explainer.test,
                windows,
                config.n_examples,
                is_shuffled=source != latent,
                seed=seed,
            )
    return LlmPlan(tuple(prompts), config)
