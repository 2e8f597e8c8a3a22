"""Changes that files suffer: bits flipped, bytes lost or doubled, numbers and texts that nobody expects."""

import os
import re
from pathlib import Path
from random import Random

NUMBERS = [b"0", b"-1", b"1000000000", b"9" * 5000, b"1e999", b"nan", b"-inf", b"1_0", "٣".encode(), b""]
TEXTS = [
    *(b"\xff\xfe", b"\xe9", b"\0", b"\r", b"\t", b"\n", b" ", b'"', b"'", b";", b"=", b"{", b"}", b"]", b","),
    *(
        b"null",
        b"{}",
        b"[]",
        b"[" * 50_000,
        b"true",
        b"<html>",
        b"../../x",
        b"${x}",
        b"!!python/name:os",
        "é".encode(),
    ),
]


def mutated(content: bytes, random: Random) -> bytes:
    """Return the content with one to three changes."""
    for _ in range(random.randint(1, 3)):
        change = random.choice([flip, flip, cut, double, put_number, put_text, put_text])
        content = change(content, random) if content else random.choice(TEXTS)
    return content


def flip(content: bytes, random: Random) -> bytes:
    """Change one bit."""
    place = random.randint(0, len(content) - 1)
    return content[:place] + bytes([content[place] ^ 1 << random.randint(0, 7)]) + content[place + 1 :]


def cut(content: bytes, random: Random) -> bytes:
    """Take out a stretch, or all from some place on."""
    start = random.randint(0, len(content) - 1)
    end = random.choice([start + 1, random.randint(start, len(content)), len(content)])
    return content[:start] + content[end:]


def double(content: bytes, random: Random) -> bytes:
    """Put a stretch in once more, somewhere."""
    start = random.randint(0, len(content) - 1)
    end = random.randint(start, min(len(content), start + 200))
    place = random.randint(0, len(content))
    return content[:place] + content[start:end] + content[place:]


def put_number(content: bytes, random: Random) -> bytes:
    """Put another number in the place of one."""
    found = list(re.finditer(rb"\d+", content[: 1 << 16]))
    if not found:
        return put_text(content, random)
    chosen = random.choice(found)
    return content[: chosen.start()] + random.choice(NUMBERS) + content[chosen.end() :]


def put_text(content: bytes, random: Random) -> bytes:
    """Put a text in, perhaps in the place of as many bytes: lengths in binary formats then still hold."""
    text, place = random.choice(TEXTS), random.randint(0, len(content) - 1)
    return content[:place] + text + content[place + random.choice([0, len(text)]) :]


def flip_on_disk(path: Path, random: Random) -> None:
    """Change one bit of a file; size and modification time stay."""
    status = path.stat()
    path.write_bytes(flip(path.read_bytes(), random))
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
