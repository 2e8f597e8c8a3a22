"""Steering of antibodies: targets, templates, arms and what the judges say of designs."""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from antibody import AntibodyRun
from antibody_twin import twin_split
from helpers.antibodies import Antibody, read_antibodies
from helpers.steering_arms import ArmBench, Target
from helpers.steering_tables import judged
from protsae.annotations.config import RearrangementConfig
from protsae.core.seeding import lowest_hashes, numpy_generator
from protsae.encoding.reading import encode
from protsae.encoding.run import Run
from protsae.plm import load_plm
from protsae.sae.base import SparseAutoencoder
from protsae.sae.checkpoint import SaeCheckpoint
from protsae.steering.arms import (
    Arm,
    nearest_relatives,
    random_mutations,
)
from protsae.steering.config import DecodingConfig
from protsae.steering.decoding import Decoder, Template
from protsae.steering.edits import LatentEdit
from protsae.steering.germline import GermlineJudge, j_consensus
from protsae.steering.naturalness import pseudo_perplexity
from protsae.steering.scoring import naturalness, scores

STRENGTHS = (0.3, 0.5, 0.7, 0.9, 1.3)
"""Tried on validation, for every arm alike: how far residues are moved, in roots of the activations' total
variance."""
DECODING = DecodingConfig(rounds=8, falling=True)
N_SOURCES = {"validation": 12, "test": 24}
ELSEWHERE = 0.3
"""Share of the residues outside the target's region that are masked too."""
OF_LOAD = 0.9
"""Share of the V region that is masked where the target is mutation load: what is left names the gene."""
UNNATURAL = 0.15
"""Higher strengths are not tried where naturalness has fallen below this."""
N_PASSES = 5
_J_IN_CDR3 = 8
_UNMOVED = ("loci", "v_subgroups", "v_genes", "j_genes")
IMPLIED = {
    "v_subgroup": ("v_subgroups", "v_genes"),
    "v_gene": ("v_subgroups", "v_genes"),
    "j_gene": ("j_genes",),
    "mutation_load": (),
}
"""Class of targets to what may change with it."""
Floats = NDArray[np.float64]


class Bench(ArmBench):
    """A finished run with one seed's dictionaries, the judges, and the sequences that neither model saw."""

    def __init__(self, env: str, project: Path, seed: int, twin: Path) -> None:
        super().__init__()
        self.run, self.seed = AntibodyRun(env, project=project), seed
        self.concepts = self.run.load("concepts")
        proteins = self.run.proteins
        self.antibodies, _ = read_antibodies(self.run.table, proteins)
        self.proteins = proteins[proteins["protein_id"].isin(self.antibodies)].set_index("protein_id")
        self.ids = self.proteins.index.to_numpy()
        self.split = self.proteins["split"].to_numpy()
        self.unseen = twin_split(self.proteins["cluster_id"]).to_numpy() == "test"
        model = load_plm(self.run.load("plm_checkpoint"))
        self.decoder = Decoder(model, self.run.hook_point, DECODING)
        judging = load_plm(twin)
        self.twin = Decoder(judging, f"layers.{judging.n_layers - 1}.resid_pre", DecodingConfig())
        self._perplexities: dict[str, float] = {}

    @cached_property
    def locus(self) -> NDArray[np.str_]:
        """Locus of each protein."""
        return np.array([self.antibodies[name].v_calls[0][:3] for name in self.ids])

    @cached_property
    def means(self) -> Floats:
        """Mean activations [n_proteins, d_model]."""
        table = self.run.load("mean_activations").set_index("protein_id")["activation"]
        return np.stack(table[self.ids].to_numpy())

    @cached_property
    def dictionaries(self) -> dict[str, SparseAutoencoder]:
        """Those of the seed: as they are where benchmarks/antibody.py has trained them, else trained now."""
        found = {}
        for name in self.run.names:
            path = self.run.sweep_folder.parent / "seeds" / f"{name}-{self.seed}" / "sae.safetensors"
            there = self.run.own_dictionary(name, self.seed) is None and path.exists()
            found[name] = SaeCheckpoint(path).load() if there else self.run.dictionary(name, self.seed)
        return found

    @cached_property
    def pooled(self) -> dict[str, dict[str, NDArray[np.float32]]]:
        """Dictionary to its mean and largest codes [n_proteins, d_sae]."""
        found = {}
        for name, sae in self.dictionaries.items():
            if self.run.own_dictionary(name, self.seed) is not None:
                table = self.run.load(f"{name}.encoding")
            else:
                run = Run(name, self.seed, self.run.hook_point, sae.config_json().get("k"))
                table = encode(
                    self.run.store, sae, run, self.run.encoded, self.run.load("params:encoding")
                ).proteins
            table = table.set_index("protein_id").loc[self.ids]
            found[name] = {
                how: np.stack(table[f"{how}_latents"].to_numpy()).astype(np.float32)
                for how in ("mean", "max")
            }
        return found

    @cached_property
    def germline(self) -> GermlineJudge:
        """The exact judge; its bounds of mutation load fit training sequences."""
        train = [self.antibodies[name] for name in self.ids[self.split == "train"]]
        j_alleles = j_consensus((one.j_call, one.sequence) for one in train if not one.n_mutations)
        classes = ("locus", "v_subgroup", "v_gene", "j_gene", "mutation_load")
        ids = [name for name in self.concepts["concept_id"] if name.partition(":")[0] in classes]
        bounds = RearrangementConfig()
        cdr3 = {"heavy": bounds.cdr3_length_heavy, "light": bounds.cdr3_length_light}
        return GermlineJudge(self.run.alleles, j_alleles, ids, load=self._load_bounds(j_alleles), cdr3=cdr3)

    def _load_bounds(self, j_alleles: dict[str, str]) -> tuple[int, int]:
        """Return the numbers of differences that divide low, and high, from the rest best."""
        rows = np.flatnonzero(self.labelled["mutation_load"] & (self.split == "train"))
        rows = numpy_generator(0, "steering load").permutation(rows)[:400]
        judge = GermlineJudge(self.run.alleles, j_alleles, ())
        n = np.array([judge.call(self.antibodies[self.ids[i]].sequence).v_differences for i in rows])
        found = []
        for name in ("low", "high"):
            truth = self.labels[rows, self.target(f"mutation_load:{name}").index]
            rates = [
                ((n <= b) == truth)[truth].mean() + ((n <= b) == truth)[~truth].mean()
                if name == "low"
                else ((n >= b) == truth)[truth].mean() + ((n >= b) == truth)[~truth].mean()
                for b in range(40)
            ]
            found.append(int(np.argmax(rates)))
        return found[0], found[1]

    @cached_property
    def natural(self) -> dict[str, Floats]:
        """Locus to the twin's pseudo-perplexities of natural sequences that it did not see; empty: of all."""
        rows = np.flatnonzero(self.unseen & np.isin(self.split, ["validation", "test"]))
        values = self.perplexities([self.antibodies[name].sequence for name in self.ids[rows]])
        return {"": values} | {locus: values[self.locus[rows] == locus] for locus in ("IGH", "IGK", "IGL")}

    def perplexities(self, sequences: Sequence[str]) -> Floats:
        """Return the twin's pseudo-perplexities."""
        new = sorted({*sequences} - self._perplexities.keys())
        if new:
            values = pseudo_perplexity(self.twin, new, n_passes=N_PASSES).tolist()
            self._perplexities.update(zip(new, values, strict=True))
        return np.array([self._perplexities[sequence] for sequence in sequences])

    def known(self, target: Target) -> NDArray[np.bool_]:
        """Return proteins that are labelled for a target, of its locus [n_proteins]."""
        locus = locus_of(target)
        of_locus = (self.locus == locus) | (not locus)
        return self.labelled[target.aspect] & of_locus

    def templates(self, target: Target, split: str) -> list[Template]:
        """Return proteins of a split without the target, that neither model saw, with their masks."""
        rows = self.known(target) & ~self.labels[:, target.index] & self.unseen & (self.split == split)
        if target.aspect == "mutation_load":  # from low to high and back
            other = "low" if target.concept_id.endswith("high") else "high"
            rows &= self.labels[:, self.target(f"mutation_load:{other}").index]
        chosen = sorted(lowest_hashes(self.ids[rows], N_SOURCES[split], f"steering {target.concept_id}"))
        return [self.template(target, name) for name in chosen]

    def template(self, target: Target, name: str) -> Template:
        """Return a protein with the mask of a target."""
        antibody = self.antibodies[name]
        return Template(name, antibody.sequence, mask(target, antibody, name))

    def judge(self, target: Target, templates: Sequence[Template], sequences: Sequence[str]) -> pd.DataFrame:
        """Return what the judges say, a row for each design."""
        column = self.germline.concept_ids.index(target.concept_id)
        perplexities = self.perplexities(sequences)
        records = []
        for template, sequence, hit in zip(
            templates, sequences, self.germline.scores(sequences)[:, column], strict=True
        ):
            call, before = (self.germline.call(each) for each in (sequence, template.sequence))
            unmoved = [
                bool(getattr(call, name) & getattr(before, name))
                for name in _UNMOVED
                if name not in IMPLIED[target.aspect]
            ]
            kept = kept_share(target, self.antibodies[template.protein_id], sequence)
            pairs = zip(template.sequence, sequence, strict=False)
            records.append(
                {
                    "protein_id": template.protein_id,
                    "hit": hit,
                    "isolation": np.mean([kept, call.conserved, np.mean(unmoved)]),
                    "kept": kept,
                    "conserved": call.conserved,
                    "unmoved": np.mean(unmoved),
                    "v_identity": call.v_identity,
                    "identity": sum(a == b for a, b in pairs) / max(len(sequence), len(template.sequence)),
                    "sequence": sequence,
                }
            )
        found = pd.DataFrame(records).assign(perplexity=perplexities)
        loci = self.locus[[np.flatnonzero(self.ids == t.protein_id)[0] for t in templates]]
        found["naturalness"] = [
            float(naturalness(np.array([value]), self.natural[locus])[0])
            for value, locus in zip(perplexities, loci, strict=True)
        ]
        return found

    def wrong(self, target: Target) -> list[Target]:
        """Return the other concepts of the class, of the same locus where there are any."""
        same = super().wrong(target)
        return [other for other in same if locus_of(other) == locus_of(target)] or same

    def excluded(self, target: Target) -> list[int]:
        """Return the latents of concepts that exclude the target."""
        value, names = target.concept_id.partition(":")[2], self.concepts["concept_id"]
        aspects = ("v_subgroup", "v_gene") if target.aspect.startswith("v_") else (target.aspect,)
        subgroup = value.split("-")[0]
        kin = {f"v_subgroup:{subgroup}", target.concept_id}
        if target.aspect == "v_subgroup":
            kin |= {name for name in names if name.startswith(f"v_gene:{value}-")}
        rows = self.concepts["aspect"].isin(aspects) & ~names.isin(kin)
        return [int(i) for i in np.flatnonzero(rows)]


def locus_of(target: Target) -> str:
    """Return `IGH`, `IGK` or `IGL`; empty: any."""
    value = target.concept_id.partition(":")[2]
    return value[:3] if value.startswith("IG") else ""


def mask(target: Target, antibody: Antibody, name: str) -> NDArray[np.bool_]:
    """Return the residues that are written anew: the target's region and a share of the others."""
    generator = numpy_generator(0, "steering mask", name, target.aspect)
    drawn = generator.random(len(antibody.sequence))
    of_region = OF_LOAD if target.aspect == "mutation_load" else 1.0
    return drawn < np.where(own_region(target, antibody), of_region, ELSEWHERE)


def own_region(target: Target, antibody: Antibody) -> NDArray[np.bool_]:
    """Return the residues that the target's gene covers; of mutation load the V region."""
    found = np.zeros(len(antibody.sequence), bool)
    cdr3 = antibody.region("CDR3")
    if target.aspect == "j_gene":
        found[max(cdr3.start, cdr3.stop - _J_IN_CDR3) :] = True
    else:
        found[: cdr3.start] = True
    return found


def kept_share(target: Target, antibody: Antibody, sequence: str) -> float:
    """Return the share of the residues outside the target's region that a sequence keeps; those after the
    region are counted from its end."""
    outside = np.flatnonzero(~own_region(target, antibody))
    from_end = target.aspect != "j_gene"
    kept = 0
    for i in outside:
        j = i - len(antibody.sequence) + len(sequence) if from_end else i
        kept += 0 <= j < len(sequence) and sequence[j] == antibody.sequence[i]
    return kept / len(outside)


def steer(bench: Bench, target: Target) -> pd.DataFrame:
    """Return every judged design of a target: all arms, all strengths on validation, the chosen one on
    test."""
    templates = {split: bench.templates(target, split) for split in N_SOURCES}
    plain = {split: _decoded(bench, target, of, Arm("unsteered"), 0.0) for split, of in templates.items()}
    parts = [_tagged(table, "unsteered", split, 0.0) for split, table in plain.items()]
    splice_only = Arm("splice_only", LatentEdit(bench.dictionaries["protsae"], keep_error=False))
    parts.append(
        _tagged(_decoded(bench, target, templates["test"], splice_only, 0.0), "splice_only", "test", 0.0)
    )
    mutations: list[int] = []
    for arm in bench.arms(target):
        tried = _doses(bench, target, templates["validation"], arm)
        parts += [_tagged(table, arm.name, "validation", s) for s, table in tried.items()]
        score = {s: float(scores(judged(t), judged(plain["validation"]))["score"]) for s, t in tried.items()}
        strength = max(tried, key=lambda s: (score[s], -s))
        found = _decoded(bench, target, templates["test"], arm, strength)
        parts.append(_tagged(found, arm.name, "test", strength, arm.about))
        print(
            target.concept_id,
            arm.name,
            arm.about,
            strength,
            {k: round(float(v), 2) for k, v in scores(judged(found), judged(plain["test"])).items()},
            flush=True,
        )
        if arm.name == "named":
            pairs = zip(found["sequence"], templates["test"], strict=True)
            mutations = [
                sum(a != b for a, b in zip(sequence, template.sequence, strict=True))
                for sequence, template in pairs
            ]
    written = random_mutations(
        templates["test"], mutations, numpy_generator(bench.seed, "random mutations", target.concept_id)
    )
    parts.append(_tagged(bench.judge(target, templates["test"], written), "random_mutations", "test", 0.0))
    rows = bench.known(target) & (bench.split == "train") & bench.labels[:, target.index]
    natural = [bench.antibodies[name].sequence for name in bench.ids[rows]]
    written = nearest_relatives(templates["test"], natural)
    parts.append(_tagged(bench.judge(target, templates["test"], written), "retrieval", "test", 0.0))
    return pd.concat(parts, ignore_index=True).assign(
        target=target.concept_id, aspect=target.aspect, seed=bench.seed
    )


def _doses(
    bench: Bench, target: Target, templates: Sequence[Template], arm: Arm
) -> dict[float, pd.DataFrame]:
    """Return judged designs by strength, from the lowest up to where designs are natural no more."""
    found = {}
    for strength in STRENGTHS:
        found[strength] = _decoded(bench, target, templates, arm, strength)
        if found[strength]["naturalness"].mean() < UNNATURAL:
            break
    return found


def _decoded(
    bench: Bench, target: Target, templates: Sequence[Template], arm: Arm, strength: float
) -> pd.DataFrame:
    designs = bench.decoder.decode(templates, arm.edit, strength)
    return bench.judge(target, templates, [design.sequence for design in designs])


def _tagged(table: pd.DataFrame, arm: str, split: str, strength: float, about: str = "") -> pd.DataFrame:
    return table.assign(arm=arm, split=split, strength=strength, about=about)
