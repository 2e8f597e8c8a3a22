"""Asks prompts in a process of its own, which a test kills: `python ask_process.py URL FOLDER N`."""

import sys
from pathlib import Path

from protsae.explanation.answers import LlmPlan
from protsae.explanation.config import LlmConfig
from protsae.explanation.prompts import Prompt


def plan(url: str, n: int) -> LlmPlan:
    prompts = tuple(Prompt(i, "explain", False, f"question {i}") for i in range(n))
    return LlmPlan(prompts, LlmConfig(use="explain", base_url=url, model="m", concurrency=2, backoff_s=0))


if __name__ == "__main__":
    plan(sys.argv[1], int(sys.argv[3])).run(Path(sys.argv[2]))
