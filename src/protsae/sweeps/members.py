"""From the list of a sweep to its members, all checked before the first is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product

from protsae.core.errors import InputError
from protsae.sae.config import takes_k
from protsae.sweeps.config import ABLATED, Counts, EntryConfig, SweepConfig
from protsae.training.config import DictionaryConfig
from protsae.training.dictionaries import Defaults, Dictionary, require_known


@dataclass(frozen=True)
class Member:
    """One training of a sweep."""

    dictionary: Dictionary
    hook_point: str
    like: str | None = None
    """Id of the member whose L0 it is to have."""
    like_name: str = ""
    """Its name."""

    @property
    def member_id(self) -> str:
        """Name of its folder."""
        name, size = self.dictionary.name, self.dictionary.size
        k = f"-k{size.k}" if takes_k(self.dictionary.architecture) else ""
        if self.like_name:
            k = f"-like-{self.like_name}"
        return f"{name}-{self.hook_point}-d{size.d_sae}{k}-seed{size.seed}"

    def matched(self, l0: float) -> "Member":
        """Return the member with the L0 that it is to have."""
        return replace(self, dictionary=self.dictionary.with_l0(l0))


def expand(config: SweepConfig, defaults: Defaults) -> tuple[Member, ...]:
    """Return the members of a sweep in the order of the list: entries, then ablations.

    Raises:
        InputError: an unknown architecture, settings that its config or the trainer refuses, or two members
            of one name.
    """
    ablations = (
        EntryConfig(architecture=ABLATED, name=name, settings={"guidance": changed})
        for name, changed in config.ablations.items()
    )
    members: dict[str, Member] = {}
    for entry in (*config.members, *ablations):
        try:
            of_entry = list(_members_of(entry, config, defaults))
        except InputError as error:
            raise InputError(f"sweeps: {error}") from error
        for member in of_entry:
            if member.member_id in members:
                raise InputError(
                    f"sweeps: two members are called {member.member_id}: give one of the entries another name"
                )
            members[member.member_id] = member
    return tuple(_linked(member, members) for member in members.values())


def _linked(member: Member, members: Mapping[str, Member]) -> Member:
    """Find the member that another is to be like.

    Raises:
        InputError: there is not exactly one of that name, hook point and seed, or it follows another itself.
    """
    if not member.like_name:
        return member
    wanted = (member.like_name, member.hook_point, member.dictionary.size.seed)
    found = [
        key
        for key, m in members.items()
        if (m.dictionary.name, m.hook_point, m.dictionary.size.seed) == wanted and not m.like_name
    ]
    if len(found) != 1:
        raise InputError(
            f"sweeps: {member.member_id} is to match the L0 of '{member.like_name}', of which the list has "
            f"{len(found)} members of this hook point and seed: one is needed"
        )
    return replace(member, like=found[0])


def _members_of(entry: EntryConfig, config: SweepConfig, defaults: Defaults) -> Iterator[Member]:
    name = entry.name or entry.architecture
    require_known(name, entry.architecture)
    grid = product(
        entry.hook_points or config.hook_points,
        _several(entry.d_sae),
        _several(entry.k) if takes_k(entry.architecture) else (None,),
        entry.seeds or config.seeds,
    )
    for hook_point, d_sae, k, seed in grid:
        shared = entry.model_dump(include={"architecture", "settings", "trainer"})
        chosen = DictionaryConfig(d_sae=d_sae, k=k, seed=seed, **shared)
        member = Member(Dictionary.of(name, chosen, defaults), hook_point, like_name=entry.match_l0 or "")
        checked = member.matched(1.0) if entry.match_l0 else member
        checked.dictionary.check(member.member_id, defaults)
        yield member


def _several(values: Counts | None) -> tuple[int | None, ...]:
    return values if isinstance(values, tuple) else (values,)
