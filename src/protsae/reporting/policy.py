"""Content security policies: which scripts and styles a page may run."""

import base64
import hashlib
from collections.abc import Sequence


def content_policy(scripts: Sequence[str], styles: Sequence[str], *, loads: bool = False) -> str:
    """Return a content security policy: only these inline scripts and styles count.

    Images may be `data:` only.

    Args:
        scripts: the page's inline scripts.
        styles: its inline style sheets.
        loads: whether the scripts may add scripts from files; without it nothing is loaded.
    """
    script_hashes = " ".join(_hash_source(script) for script in scripts)
    style_hashes = " ".join(_hash_source(style) for style in styles)
    dynamic = "'strict-dynamic' " if loads else ""
    return (
        f"default-src 'none'; script-src {dynamic}{script_hashes}; style-src {style_hashes}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash_source(content: str) -> str:
    # The parser turns CR into LF before a browser hashes, and a closing tag would end the element early.
    assert "\r" not in content and "</script" not in content.lower() and "</style" not in content.lower()
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"
