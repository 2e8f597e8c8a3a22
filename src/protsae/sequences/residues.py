"""The residue alphabet and what to do with everything else."""

from collections import Counter

from pydantic import Field, field_validator

from protsae.core.config import Config
from protsae.core.letters import AMINO_ACIDS

UNKNOWN = "X"


class ResidueError(ValueError):
    """A character that no policy accepts."""

    def __init__(self, character: str, position: int) -> None:
        """Remember the character and its 1-based position in the sequence."""
        super().__init__(f"{character!r} at position {position}")
        self.character = character
        self.position_1based = position


class ResiduePolicy(Config):
    """What happens to characters other than the twenty residues. Everything not named here is an error."""

    keep: str = Field(default="XBZUO", pattern="^[A-Z]*$")
    """Letters kept as they are: unknown, Asx, Glx, selenocysteine, pyrrolysine."""
    to_unknown: str = Field(default="J", pattern="^[A-Z]*$")
    """Letters that become X: ESM-2 has no token for J (Leu or Ile)."""
    strip_trailing_stop: bool = True
    """One `*` at the end is a translated stop codon and goes. `*` elsewhere is always an error."""
    raise_lower_case: bool = True
    """Lower case (soft masking) is raised to upper case; otherwise an error."""

    @field_validator("keep", "to_unknown")
    @classmethod
    def _not_a_residue(cls, letters: str) -> str:
        if common := sorted(set(letters) & set(AMINO_ACIDS)):
            raise ValueError(f"{', '.join(common)}: one of the twenty residues needs no policy")
        return letters


def clean_residues(raw: str, policy: ResiduePolicy, counts: Counter[str]) -> str:
    """Return the sequence under the policy, and add to `counts` what was changed or out of the ordinary.

    Args:
        raw: sequence as in the file, without line ends.
        policy: what to keep, change and refuse.
        counts: gains `n_lower_case` and `n_trailing_stops`, `n_residues_X` for each letter kept in addition
            to the twenty, and `n_J_to_X` for each letter made unknown.

    Raises:
        ResidueError: at the first character that the policy does not accept.
    """
    if not raw.strip(AMINO_ACIDS):  # strips from both ends up to another character: there is none
        return raw
    sequence = raw
    if policy.strip_trailing_stop and sequence.endswith("*"):
        sequence = sequence[:-1]
        counts["n_trailing_stops"] += 1
    if policy.raise_lower_case and sequence.isascii():
        counts["n_lower_case"] += sum(map(str.islower, sequence))
        sequence = sequence.upper()
    for letter, n in Counter(sequence).items():
        if letter in AMINO_ACIDS:
            continue
        if letter in policy.keep:
            counts[f"n_residues_{letter}"] += n
        elif letter in policy.to_unknown:
            counts[f"n_{letter}_to_{UNKNOWN}"] += n
            sequence = sequence.replace(letter, UNKNOWN)
        else:
            position = sequence.index(letter)
            raise ResidueError(raw[position], position + 1)
    return sequence
