"""Files that are almost right: what users have, as hypothesis draws it."""

import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from hypothesis import strategies as st

ASCII = st.text(alphabet=st.characters(max_codepoint=127), max_size=120).map(str.encode)


def soup(tokens: Sequence[str]) -> st.SearchStrategy[bytes]:
    """Draw the tokens of a format in any order."""
    return st.lists(st.sampled_from(tokens), max_size=40).map(lambda parts: "".join(parts).encode())


@st.composite
def spoilt(draw: st.DrawFn, content: bytes) -> bytes:
    """Draw a sound file with some lines gone, doubled or swapped, and some bytes changed, or cut off."""
    lines = content.splitlines(keepends=True)
    for _ in range(draw(st.integers(0, 3))):
        position = draw(st.integers(0, len(lines) - 1))
        other = draw(st.integers(0, len(lines) - 1))
        change = draw(st.sampled_from(["drop", "double", "swap"]))
        if change == "drop" and len(lines) > 1:
            del lines[position]
        elif change == "double":
            lines.insert(position, lines[other])
        else:
            lines[position], lines[other % len(lines)] = lines[other % len(lines)], lines[position]
    spoilt_bytes = bytearray(b"".join(lines))
    for _ in range(draw(st.integers(0, 2))):
        position = draw(st.integers(0, len(spoilt_bytes) - 1))
        spoilt_bytes[position] = draw(st.sampled_from(list(b"\t\n\r |;:>!*- A1\x00\x1c\x85\xff")))
    return bytes(spoilt_bytes[: draw(st.integers(len(spoilt_bytes) // 2, len(spoilt_bytes)))])


def flipped(share: float) -> Callable[[Path], None]:
    """Return what changes one bit of a file, at a share of its length; size and modification time stay."""

    def flip(path: Path) -> None:
        content, status = bytearray(path.read_bytes()), path.stat()
        content[int(share * len(content))] ^= 1
        path.write_bytes(content)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return flip


def cut(path: Path) -> None:
    """Take the last bytes off a file."""
    path.write_bytes(path.read_bytes()[:-200])


def lines_of(content: bytes) -> list[str]:
    """Split as every reader must: at LF, CRLF and CR and nowhere else."""
    text = content.removeprefix(b"\xef\xbb\xbf").decode().replace("\r\n", "\n").replace("\r", "\n")
    return text.removesuffix("\n").split("\n")


def check_message(path: Path, error: Exception) -> None:
    """Check that an error begins with the file, and the line where it names one."""
    assert re.match(rf"{re.escape(str(path))}(:\d+)?:? ", str(error)), str(error)
