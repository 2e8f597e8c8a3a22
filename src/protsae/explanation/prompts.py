"""What a large language model is asked, and how its answers are read.

Every question asks for JSON, so that an answer in another form is noticed and asked for again.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from protsae.core.errors import MALFORMED
from protsae.core.files import sha256_text
from protsae.core.letters import AMINO_ACIDS
from protsae.core.seeding import numpy_generator
from protsae.explanation.panel import Bools, Ints, Panel
from protsae.explanation.windows import Windows

Task = Literal["explain", "detection", "fuzzing", "intruder"]
_LETTERS = np.array([*AMINO_ACIDS, "X"])
_FENCE = re.compile(r"^```(?:json)?\s*|\s*```$")
_LONGEST = 600
_SYSTEM = (
    "You are an expert on protein sequences. A latent is one unit of a sparse autoencoder trained on the "
    "activations of a protein language model. In windows of sequences, residues on which a latent fires are "
    "written between < and >. Answer with JSON only."
)


@dataclass(frozen=True)
class Prompt:
    """One question."""

    latent: int
    task: Task
    is_shuffled: bool
    """Whether it holds the explanation of another latent: the floor."""
    question: str
    truth: tuple[int, ...] = ()
    """The right answers: 1 for yes, 0 for no; for the intruder the number of the window, from 0."""

    def messages(self) -> list[dict[str, str]]:
        """Return the messages that are sent."""
        return [{"role": "system", "content": _SYSTEM}, {"role": "user", "content": self.question}]

    def key(self, model: str, max_tokens: int) -> str:
        """Return the hash that its answer is kept under: of all that the answer depends on."""
        expected = self.task if self.task == "explain" else f"{self.task} {len(self.truth)}"
        return sha256_text(model, str(max_tokens), expected, json.dumps(self.messages()))

    def read(self, text: str) -> Any:
        """Return what an answer says: a sentence, or as many numbers as there are questions.

        Raises:
            ValueError: the answer has another form.
        """
        try:
            found = json.loads(_FENCE.sub("", text.strip()))
            if self.task == "explain":
                said = " ".join(found["explanation"].split())
                if not 0 < len(said) <= _LONGEST:
                    raise ValueError(f"an explanation of {len(said)} characters")
                said.encode()  # half a surrogate pair is no text, and no table takes it
                return said
            numbers = [_whole(number) for number in found["answers"]]
        except MALFORMED as error:
            raise ValueError(f"the answer has another form than was asked for: {text[:80]!r}") from error
        if len(numbers) != len(self.truth):
            raise ValueError(f"{len(numbers)} answers to {len(self.truth)} questions")
        return numbers


def _whole(number: Any) -> int:
    """Return a whole number, which some models write as text, as 1.0 or as true.

    Raises:
        ValueError: it is another value.
    """
    whole = int(number)
    if whole != float(number):
        raise ValueError(f"{number} is no whole number")
    return whole


def show(panel: Panel, rows: Ints, marks: Bools | None = None) -> str:
    """Write a window, marked residues between < and >."""
    texts = _LETTERS[panel.letters[rows]]
    if marks is not None:
        texts = np.where(marks, np.char.add(np.char.add("<", texts), ">"), texts)
    return "".join(texts[panel.is_residue[rows]]).replace("><", "")


def explain_prompt(latent: int, known: str, panel: Panel, windows: Windows, n: int) -> Prompt:
    """Ask for an explanation.

    Args:
        latent: of what.
        known: what the rules say of it.
        panel: validation proteins.
        windows: in which it fires or not.
        n: windows shown.
    """
    firing, marks = windows.firing[0][:n], windows.marks[0][:n]
    shown = [show(panel, rows, mark) for rows, mark in zip(firing, marks, strict=True)]
    silent = [show(panel, rows) for rows in windows.silent[0][:n]]
    lines = [
        "Windows in which the latent fires:",
        *shown,
        "Windows in which it does not fire:",
        *silent,
        f"What statistics say: {known}",
        'Say in one plain sentence where it fires: {"explanation": "..."}',
    ]
    return Prompt(latent, "explain", False, "\n".join(lines))


def score_prompts(
    latent: int,
    said: str,
    panel: Panel,
    windows: Windows,
    n: int,
    *,
    is_shuffled: bool,
    seed: int,
) -> list[Prompt]:
    """Ask the three tests for an explanation, `said`.

    The windows and their order are the same whatever is said.

    Args:
        latent: whose windows.
        said: the explanation; of another latent where `is_shuffled`.
        panel: test proteins.
        windows: of these.
        n: windows per test; of the intruder test, times it is shown.
        is_shuffled: whether `said` is another latent's.
        seed: of the order.
    """
    generator = numpy_generator(seed, "prompts", latent)
    head = f"A latent is said to do this: {json.dumps(said)}\n"
    n = min(n, windows.firing.shape[1])
    firing, silent = windows.firing[0], windows.silent[0]
    half = (n + 1) // 2
    windows_of = [(show(panel, rows), 1) for rows in firing[:half]]
    windows_of += [(show(panel, rows), 0) for rows in silent[: n - half]]
    marked = []
    for i in range(n):
        is_true = i < half or not windows.false_marks[0, i].any()
        marks = windows.marks if is_true else windows.false_marks
        marked.append((show(panel, firing[i], marks[0, i]), int(is_true)))
    detection = _listed(generator, windows_of)
    fuzzing = _listed(generator, marked)
    intruder = _intruders(generator, panel, windows, n)
    end = '{"answers": [...]}, one number for each line'
    asked: list[tuple[Task, str, tuple[str, tuple[int, ...]]]] = [
        ("detection", f"Does it fire in these windows? 1 for yes, 0 for no: {end}\n", detection),
        ("fuzzing", f"Are the marked residues those on which it fires? 1 or 0: {end}\n", fuzzing),
        ("intruder", f"In which window of each line, counted from 0, does it not fire? {end}\n", intruder),
    ]
    return [Prompt(latent, task, is_shuffled, head + text + of, truth) for task, text, (of, truth) in asked]


def _listed(generator: np.random.Generator, items: Sequence[tuple[str, int]]) -> tuple[str, tuple[int, ...]]:
    order = generator.permutation(len(items)).tolist()
    return "\n".join(items[i][0] for i in order), tuple(items[i][1] for i in order)


def _intruders(
    generator: np.random.Generator, panel: Panel, windows: Windows, n: int
) -> tuple[str, tuple[int, ...]]:
    lines, truth = [], []
    for i in range(n):
        others = [show(panel, windows.firing[0, j]) for j in windows.companions[0, i]]
        place = int(generator.integers(len(others) + 1))
        others.insert(place, show(panel, windows.silent[0, i]))
        lines.append(" ".join(others))
        truth.append(place)
    return "\n".join(lines), tuple(truth)
