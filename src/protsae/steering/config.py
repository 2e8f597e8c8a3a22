"""Settings of decoding."""

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from protsae.core.config import Config, Share


class DecodingConfig(Config):
    """How masked residues are written."""

    rounds: int = Field(default=8, ge=1)
    """Passes of the language model. In each the guesses that it is surest of are kept, an equal share of the
    masked residues, and read in the next; 1: all at once."""
    falling: bool = False
    """Whether the strength falls linearly over the rounds, from its value to that value over `rounds`."""
    temperature: float = Field(default=0.0, ge=0, le=10)
    """0: the most probable amino acid; above: drawn from probabilities with logits divided by it."""
    n_samples: int = Field(default=1, ge=1)
    """Designs of each protein; more than one needs a temperature."""
    max_mutations: int | None = Field(default=None, ge=1)
    """Most residues that a design may differ in; the guesses that come after these are given up for the
    original residue. None: no limit."""
    seed: int = Field(default=0, ge=0)
    """Seed of what is drawn: a design depends on it, its protein and its number alone."""
    tokens_per_batch: int = Field(default=1024, gt=0)
    """Token budget of a batch. Changes results by rounding alone."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where it runs; `auto`: a GPU if torch sees one."""

    @model_validator(mode="after")
    def _samples_differ(self) -> Self:
        if self.n_samples > 1 and self.temperature == 0:
            raise ValueError(
                f"n_samples {self.n_samples} at temperature 0 gives one design {self.n_samples} times: set a "
                "temperature, such as 1.0"
            )
        return self


class PositionsConfig(Config):
    """Which residues are written anew."""

    strategy: Literal["low_activation", "random", "given", "region", "whole"] = "low_activation"
    """`low_activation`: where the raised latents are least active; `random`; `given`: `at`; `region`: from
    the first to the last of `at`; `whole`: all."""
    share: Share = 0.3
    """Of the residues, with `low_activation` and `random`."""
    at: tuple[int, ...] = ()
    """Positions, 1-based, with `given` and `region`: the same ones in every protein."""
    seed: int = Field(default=0, ge=0)
    """Of `random`."""

    @model_validator(mode="after")
    def _has_positions(self) -> Self:
        if self.strategy in {"given", "region"} and not self.at:
            raise ValueError(f"strategy {self.strategy} needs positions in `at`, such as [10, 11, 12]")
        return self


class StructuresConfig(Config):
    """How designs and originals get structures; `steering_structures` of the catalog is the other way."""

    command: tuple[str, ...] = ()
    """Program with its arguments, of which one holds `{fasta}` and one `{folder}`: it reads that file and
    writes `<name>.pdb` or `<name>.cif` for each record into that folder. Empty: none."""
    min_identity: Share = 0.95
    """Of a file's chain to its sequence; below it the file is refused."""

    @field_validator("command")
    @classmethod
    def _names_files(cls, command: tuple[str, ...]) -> tuple[str, ...]:
        if missing := [key for key in ("{fasta}", "{folder}") if command and key not in " ".join(command)]:
            raise ValueError(
                f"no argument holds {missing[0]}: write it such as [fold, --input, '{{fasta}}', --output, "
                "'{folder}']"
            )
        return command


class SteeringConfig(Config):
    """What the pipeline steers, and how."""

    concepts: tuple[str, ...] = ()
    """Concepts that are turned up, each in designs of its own."""
    latents: tuple[int, ...] = ()
    """Latents that are turned up, likewise; of dictionaries without concepts, or free ones."""
    suppressed: tuple[int, ...] = ()
    """Latents that are switched off in all designs."""
    with_ancestors: bool = True
    """Whether the concepts above a concept are turned up with it."""
    mode: Literal["add", "add_max", "set", "multiply"] = "add_max"
    """What happens to a latent z at scale s, m being its largest code in training: z + s, z + s m, s m, s
    z."""
    scale: float = Field(default=1.0, ge=0, le=1000)
    """How far; 0 adds nothing. The scale that steers best differs between concepts: try several."""
    keep_error: bool = True
    """Whether what the dictionary does not reconstruct is added back."""
    positions: PositionsConfig = PositionsConfig()
    """Which residues are written anew."""
    decoding: DecodingConfig = DecodingConfig()
    """How they are written."""
    perplexity_passes: int = Field(default=8, ge=1)
    """Passes of the judging model, each with that share of the residues masked."""
    structures: StructuresConfig = StructuresConfig()
    """Structures of designs, for the judge of structures."""
    proteins_per_shard: int = Field(default=200, ge=1)
    """Proteins whose designs are written together, and what an interruption costs at most."""

    @model_validator(mode="after")
    def _falls_where_it_adds(self) -> Self:
        if self.decoding.falling and self.mode not in {"add", "add_max"}:
            raise ValueError(f"decoding.falling goes with mode add or add_max, not with {self.mode}")
        return self
