"""An endpoint that speaks OpenAI's protocol for chats, by the standard library alone."""

import json
import os
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from typing import Any

from protsae.core.errors import MALFORMED, InputError
from protsae.explanation.config import LlmConfig
from protsae.explanation.prompts import Prompt

_LONGEST_WAIT = 600.0
_BUSY = (408, 409, 429)
_SHOWN = 200
_MAX_BYTES = 1 << 22
"""Longer answers are of nobody who kept to `max_tokens`."""


class NoAnswer(Exception):  # noqa: N818 (an outcome, not an error of ours)
    """All attempts failed; the message says why the last one did."""


class Endpoint:
    """Asks prompts, again and again where that may help."""

    def __init__(self, config: LlmConfig, wait: Callable[[float], None] = time.sleep) -> None:
        """Read the key from the environment.

        Args:
            config: address, model, attempts.
            wait: how seconds are waited.

        Raises:
            InputError: the environment variable that should hold the key is not set.
        """
        self._config, self._wait = config, wait
        self._headers = {"Content-Type": "application/json"}
        self._key = ""
        if config.api_key_env is not None:
            key = os.environ.get(config.api_key_env, "")
            if not key:
                raise InputError(
                    f"explanation.llm.api_key_env: the environment variable {config.api_key_env} is not set. "
                    "Set it to the endpoint's key, or set api_key_env to null if it needs none"
                )
            self._headers["Authorization"] = f"Bearer {key}"
            self._key = key

    def ask(self, prompt: Prompt) -> Any:
        """Return the answer to a prompt, in the form of `Prompt.read`.

        Raises:
            InputError: the endpoint refuses the request, as it would every other: a wrong key or address, an
                unknown model.
            NoAnswer: no attempt succeeded.
        """
        reason = ""
        for attempt in range(self._config.n_attempts):
            delay = self._config.backoff_s * 2**attempt
            try:
                return prompt.read(_text_of(self._post(prompt)))
            except urllib.error.HTTPError as error:
                with error:
                    reason = self._without_key(f"HTTP {error.code}: {_excerpt(error)}")
                    if error.code < 500 and error.code not in _BUSY:
                        raise InputError(
                            f"{self._config.base_url} refuses the request ({reason}): look at base_url, "
                            "model and api_key_env of explanation.llm"
                        ) from None
                    delay = max(delay, _retry_after(error))
            except (OSError, HTTPException, ValueError) as error:
                reason = self._without_key(str(error) or type(error).__name__)
            if attempt + 1 < self._config.n_attempts:
                self._wait(min(delay, _LONGEST_WAIT))
        raise NoAnswer(reason)

    def _without_key(self, text: str) -> str:
        """Return a text in which an endpoint may have repeated the key, without it."""
        return text.replace(self._key, "[key]") if self._key else text

    def _post(self, prompt: Prompt) -> bytes:
        """Return what the endpoint answers, up to a byte more than it may."""
        body = {
            "model": self._config.model,
            "messages": prompt.messages(),
            "max_tokens": self._config.max_tokens,
            "temperature": 0,
        }
        request = urllib.request.Request(  # noqa: S310 (the configuration allows http and https alone)
            f"{self._config.base_url.rstrip('/')}/chat/completions",
            data=json.dumps(body).encode(),
            headers=self._headers,
        )
        with urllib.request.urlopen(request, timeout=self._config.timeout_s) as response:  # noqa: S310
            return bytes(response.read(_MAX_BYTES + 1))


def _text_of(raw: bytes) -> str:
    """Return the text of an endpoint's answer.

    Raises:
        ValueError: the answer is not of the protocol, or has no text, as those that refuse or call tools.
    """
    if len(raw) > _MAX_BYTES:
        raise ValueError(f"the endpoint's answer has over {_MAX_BYTES} bytes: {raw[:80]!r}")
    try:
        text = json.loads(raw)["choices"][0]["message"]["content"]
    except MALFORMED as error:
        raise ValueError(f"the endpoint's answer is not of the protocol: {raw[:80]!r}") from error
    if not isinstance(text, str):
        raise ValueError(f"the endpoint's answer has no text: {raw[:80]!r}")
    return text


def _excerpt(error: urllib.error.HTTPError) -> str:
    """Return the beginning of an error's body."""
    try:
        return error.read(_SHOWN).decode("utf-8", "replace").strip() or error.reason
    except (OSError, HTTPException):
        return str(error.reason)


def _retry_after(error: urllib.error.HTTPError) -> float:
    try:
        return max(0.0, float(error.headers.get("Retry-After", 0)))
    except ValueError:  # a date
        return 0.0
