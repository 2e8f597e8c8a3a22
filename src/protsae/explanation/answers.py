"""Answers of a large language model in a folder, each under the hash of what it answers.

The folder holds `<hash>.json` per answer, and `prompts.json`, written last: which prompts were asked, and why
some have no answer. An answer that is there is never asked for again, also after an interruption or a change
of settings that leaves its prompt as it was. All files are sealed; an answer that is damaged is asked for
again, as is one of a version without seals.
"""

import json
import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from protsae.core.errors import InputError
from protsae.core.files import UNSEALED, read_sealed_json, write_text_atomic
from protsae.core.plan import Plan
from protsae.core.progress import track
from protsae.explanation.config import LlmConfig
from protsae.explanation.endpoint import Endpoint, NoAnswer
from protsae.explanation.prompts import Prompt

INDEX_NAME = "prompts.json"
_AGAIN = "run the pipeline explanation again"
_LOGGER = logging.getLogger(__name__)
_FIELDS = ("latent", "task", "is_shuffled", "truth")


@dataclass(frozen=True)
class Answered:
    """A prompt and what was answered."""

    latent: int
    task: str
    is_shuffled: bool
    truth: list[int]
    answer: Any
    """A sentence or numbers; None: there is no answer."""
    reason: str
    """Why there is none."""


@dataclass(frozen=True)
class LlmPlan(Plan):
    """Prompts that a folder is to have answers to."""

    prompts: Sequence[Prompt]
    config: LlmConfig

    def run(self, path: Path, how: Any = None) -> None:
        """Ask for the answers that are missing, several at a time.

        Answers are written as they come. Prompts without an answer after all attempts are counted in the
        log and listed in the index, with the reason; saving again asks them again.

        Args:
            path: the folder.
            how: an `Endpoint` to ask in place of the configured one.

        Raises:
            InputError: see `Endpoint`.
        """
        path.mkdir(parents=True, exist_ok=True)
        (path / INDEX_NAME).unlink(missing_ok=True)
        keys = [prompt.key(self.config.model, self.config.max_tokens) for prompt in self.prompts]
        missing = {
            key: prompt
            for key, prompt in zip(keys, self.prompts, strict=True)
            if _read_answer(path / f"{key}.json") is None
        }
        failed: dict[str, str] = {}
        if damaged := sum((path / f"{key}.json").is_file() for key in missing):
            _LOGGER.warning("%s: %d answers are damaged, or have no checksum: asked again", path, damaged)
        if missing:
            endpoint = how or Endpoint(self.config)
            for key, answer in track(self._asked(endpoint, missing), "Asking", total=len(missing)):
                if isinstance(answer, NoAnswer):
                    failed[key] = str(answer)
                else:
                    record = {"seal": UNSEALED, "model": self.config.model, "answer": answer}
                    write_text_atomic(path / f"{key}.json", json.dumps(record) + "\n", sealed=True)
            _LOGGER.info(
                "%s answered %d prompts, %d had answers already, %d have none",
                *(self.config.model, len(missing) - len(failed), len(set(keys)) - len(missing), len(failed)),
            )
        listed = [
            {"key": key, **{name: getattr(prompt, name) for name in _FIELDS}, "reason": failed.get(key, "")}
            for key, prompt in zip(keys, self.prompts, strict=True)
        ]
        about = {"seal": UNSEALED, "model": self.config.model, "prompts": listed}
        write_text_atomic(path / INDEX_NAME, json.dumps(about, indent=1) + "\n", sealed=True)

    def _asked(self, endpoint: Endpoint, missing: dict[str, Prompt]) -> Iterator[tuple[str, Any]]:
        """Yield key and answer, or `NoAnswer`, as they come; no more than `concurrency` are under way."""
        left = iter(missing.items())
        waiting: dict[Future[Any], str] = {}
        with ThreadPoolExecutor(self.config.concurrency, thread_name_prefix="protsae-llm") as pool:
            try:
                while True:
                    for key, prompt in left:
                        waiting[pool.submit(endpoint.ask, prompt)] = key
                        if len(waiting) >= self.config.concurrency:
                            break
                    if not waiting:
                        return
                    for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                        key = waiting.pop(future)
                        error = future.exception()
                        if error is not None and not isinstance(error, NoAnswer):
                            raise error
                        yield key, error or future.result()
            finally:
                pool.shutdown(cancel_futures=True)


class AnswerFolder:
    """A folder that `LlmPlan` made."""

    def __init__(self, root: Path) -> None:
        """Read its index.

        Raises:
            InputError: there is none; or it, or an answer that it lists, is missing or damaged.
        """
        self.root = root
        about = read_sealed_json(root / INDEX_NAME)
        if about is None:
            raise InputError(f"{root / INDEX_NAME} is missing, damaged or no index of answers: {_AGAIN}")
        self.model = str(about["model"])
        self.answered = [self._answered(record) for record in about["prompts"]]

    def _answered(self, record: dict[str, Any]) -> Answered:
        path = self.root / f"{record['key']}.json"
        answer = _read_answer(path)
        if answer is None and not record["reason"]:
            raise InputError(f"{path} is missing or damaged: {_AGAIN}")
        return Answered(**{name: record[name] for name in _FIELDS}, answer=answer, reason=record["reason"])

    def sentences(self) -> dict[int, str]:
        """Return latent to explanation, of those that have one."""
        return {
            of.latent: of.answer for of in self.answered if of.task == "explain" and of.answer is not None
        }


def _read_answer(path: Path) -> Any:
    """Return a kept answer; None: there is none that is whole."""
    found = read_sealed_json(path)
    return None if found is None else found["answer"]
