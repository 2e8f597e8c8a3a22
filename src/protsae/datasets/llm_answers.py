"""A folder of a large language model's answers, asked for when it is saved."""

from pathlib import Path

from protsae.datasets.planned import PlannedDataset
from protsae.explanation.answers import INDEX_NAME, AnswerFolder


class LlmAnswersDataset(PlannedDataset[AnswerFolder]):
    """Saves an `explanation.answers.LlmPlan` by asking its prompts; loads to an `AnswerFolder`.

    Saving again asks only what has no answer in the folder yet.

    Example:
        ```yaml
        topk.llm_explanations:
          type: protsae.datasets.LlmAnswersDataset
          filepath: data/07_model_output/topk/llm_explanations
        ```
    """

    written_last = INDEX_NAME

    def _open(self, path: Path) -> AnswerFolder:
        return AnswerFolder(path)
