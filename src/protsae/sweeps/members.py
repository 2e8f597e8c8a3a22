"""From the list of a sweep to its members, all checked before the first is trained."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from pydantic import ValidationError

from protsae.core.errors import InputError
from protsae.sweeps.config import Counts, EntryConfig, SweepConfig
from protsae.training.config import TrainerConfig
from protsae.training.plan import Size


@dataclass(frozen=True)
class Member:
    """One training of a sweep."""

    name: str
    """What the tables call it."""
    architecture: str
    hook_point: str
    size: Size
    settings: dict[str, Any]
    """Fields of the architecture's config."""
    trainer: TrainerConfig
    has_k: bool = True
    """Whether the architecture takes a number of latents per token."""
    like: str | None = None
    """Id of the member whose L0 it is to have."""
    like_name: str = ""
    """Its name."""

    @property
    def member_id(self) -> str:
        """Name of its folder."""
        k = f"-k{self.size.k}" if self.has_k else ""
        if self.like_name:
            k = f"-like-{self.like_name}"
        return f"{self.name}-{self.hook_point}-d{self.size.d_sae}{k}-seed{self.size.seed}"

    def matched(self, l0: float) -> "Member":
        """Return the member with the L0 that it is to have."""
        if self.has_k:
            return replace(self, size=self.size._replace(k=max(1, round(l0))))
        return replace(self, settings={**self.settings, "target_l0": l0})


@dataclass(frozen=True)
class Base:
    """What members have where their entry says nothing."""

    d_model: int
    d_sae: int
    k: int
    trainer: TrainerConfig
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """Architecture to the fields of its config that training sets."""
    n_concepts: int = 0


def expand(config: SweepConfig, base: Base) -> tuple[Member, ...]:
    """Return the members of a sweep in the order of the list: entries, then ablations.

    Raises:
        InputError: an unknown architecture, settings that its config or the trainer refuses, or two members
            of one name.
    """
    ablations = (
        EntryConfig(architecture="protsae", name=name, settings={"guidance": changed})
        for name, changed in config.ablations.items()
    )
    members: dict[str, Member] = {}
    for entry in (*config.members, *ablations):
        for member in _members_of(entry, config, base):
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
    wanted = (member.like_name, member.hook_point, member.size.seed)
    found = [
        key for key, m in members.items() if (m.name, m.hook_point, m.size.seed) == wanted and not m.like_name
    ]
    if len(found) != 1:
        raise InputError(
            f"sweeps: {member.member_id} is to match the L0 of '{member.like_name}', of which the list has "
            f"{len(found)} members of this hook point and seed: one is needed"
        )
    return replace(member, like=found[0])


def _members_of(entry: EntryConfig, config: SweepConfig, base: Base) -> Iterator[Member]:
    from protsae.sae.registry import ARCHITECTURES

    name = entry.name or entry.architecture
    if entry.architecture not in ARCHITECTURES:
        known = ", ".join(sorted(ARCHITECTURES))
        raise InputError(f"sweeps: architecture '{entry.architecture}' of {name} is not known: {known}")
    has_k = "k" in ARCHITECTURES[entry.architecture][1].model_fields
    settings = _merged(base.settings.get(entry.architecture, {}), entry.settings)
    try:
        trainer = TrainerConfig.model_validate({**base.trainer.model_dump(), **entry.trainer})
    except ValidationError as error:
        raise InputError(f"sweeps: trainer of {name}: {_first(error)}") from error
    sizes = product(
        entry.hook_points or config.hook_points,
        _several(entry.d_sae, base.d_sae),
        _several(entry.k, base.k) if has_k else (base.k,),
        entry.seeds or config.seeds,
    )
    for hook_point, d_sae, k, seed in sizes:
        member = Member(name, entry.architecture, hook_point, Size(d_sae, k, seed), settings, trainer, has_k)
        member = replace(member, like_name=entry.match_l0 or "")
        _check(member.matched(1.0) if entry.match_l0 else member, base)
        yield member


def _check(member: Member, base: Base) -> None:
    """Build the member's config, as training will."""
    from protsae.sae.registry import ARCHITECTURES

    shape = ARCHITECTURES[member.architecture][1]
    fields: dict[str, Any] = {"d_model": base.d_model, "d_sae": member.size.d_sae}
    if member.has_k:
        fields["k"] = member.size.k
    if "concept_ids" in shape.model_fields:
        fields["concept_ids"] = tuple(map(str, range(base.n_concepts)))
    try:
        shape.model_validate({**fields, **member.settings})
    except ValidationError as error:
        raise InputError(f"sweeps: {member.member_id}: {_first(error)}") from error


def _several(values: Counts | None, otherwise: int) -> tuple[int, ...]:
    if values is None:
        return (otherwise,)
    return (values,) if isinstance(values, int) else values


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with the changes, block by block."""
    merged = dict(base)
    for key, value in changes.items():
        both = isinstance(value, Mapping) and isinstance(merged.get(key), Mapping)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _first(error: ValidationError) -> str:
    first = error.errors()[0]
    where = ".".join(map(str, first["loc"]))
    return f"{where}: {first['msg']}" if where else str(first["msg"])
