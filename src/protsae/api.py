"""The Python interface: ten functions, re-exported by `protsae` (docs/api.md).

Nothing heavy is imported before a function needs it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

from protsae.core.errors import InputError
from protsae.core.letters import AMINO_ACIDS

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from torch import Tensor

    from protsae.activations.reader import ActivationStore
    from protsae.plm.checkpoint import PlmModel
    from protsae.prediction.result import Prediction
    from protsae.release import Release
    from protsae.release.dictionary import Dictionary

LayoutName = Literal["auto", "saelens", "interplm", "interprot", "sparsify", "dictionary_learning"]


def load_sae(
    source: "str | Path | Release" = "demo", *, layout: LayoutName = "auto", **choices: object
) -> "Dictionary":
    """Load a dictionary.

    Args:
        source: `demo`, `demo_topk` or `antibody`, which come with the package; the folder of a release; a
            checkpoint of this package, or its folder; or a file or folder of SAELens, InterPLM, InterProt,
            sparsify or dictionary_learning. No code in a file is ever run.
        layout: of another library's file; `auto`: by names of files and tensors.
        **choices: what a file leaves open: `k`, `activation` (topk, batch_topk), `normalise_codes`
            (docs/interchange.md).

    Returns:
        `release.dictionary.Dictionary`: the module `.sae`, its tables `.release` (None for other files),
        `.made_for`, `.notes`, `.encode` and `.decode`.

    Raises:
        InputError: nothing there, a damaged file, one that would run code, or one that leaves open what
            `choices` have to settle.

    Example:
        >>> import protsae
        >>> sae = protsae.load_sae("demo")
        >>> sae.d_model, sae.d_sae, sae.hook_point
        (160, 1024, 'layers.2.resid_post')
        >>> sae.made_for.model
        'esm2_mini'
    """
    from protsae.release.dictionary import load_dictionary

    return load_dictionary(source, layout=layout, **choices)


def load_plm(source: "str | Path | Release" = "demo") -> "PlmModel":
    """Load a protein language model (ESM-2).

    Args:
        source: `demo` or `antibody`: the one that the release of this name holds; the folder of a release; a
            fair-esm `.pt` file or name such as `esm2_t6_8M_UR50D`, a `.safetensors` file, or a folder in
            Hugging Face's layout.

    Raises:
        InputError: nothing there, a damaged file, or one that would run code.

    Example:
        >>> import protsae
        >>> plm = protsae.load_plm("demo")
        >>> plm.name, plm.n_layers, plm.d_model
        ('esm2_mini', 4, 160)
    """
    from protsae.plm.checkpoint import load_plm as load
    from protsae.release import Release, open_release
    from protsae.release.folder import SHIPPED
    from protsae.release.record import RECORD_NAME

    if isinstance(source, Release):
        return source.load_plm()
    if source in SHIPPED or (Path(source) / RECORD_NAME).is_file():
        return open_release(source).load_plm()
    return load(source)


@overload
def extract(sequences: str, plm: "PlmModel", at: "str | Dictionary") -> "Tensor": ...
@overload
def extract(
    sequences: list[str] | tuple[str, ...], plm: "PlmModel", at: "str | Dictionary"
) -> "list[Tensor]": ...
def extract(
    sequences: str | list[str] | tuple[str, ...], plm: "PlmModel", at: "str | Dictionary"
) -> "Tensor | list[Tensor]":
    """Run sequences through a language model and return the activations of their residues.

    Args:
        sequences: one sequence, or several. Those above 1,022 residues are run in overlapping windows.
        plm: the language model.
        at: the hook point, such as `layers.2.resid_post`; or a dictionary, which is checked to be of this
            model, and whose hook point is used.

    Returns:
        Raw activations, float32 [length, d_model], on the CPU; of several sequences a list of them.

    Raises:
        InputError: an empty sequence, a letter that is no residue (with its position), an unknown hook point,
            or a dictionary that was made for another model or does not say its hook point.

    Example:
        >>> import protsae
        >>> x = protsae.extract("MKTAYIAKQR", protsae.load_plm("demo"), "layers.2.resid_post")
        >>> tuple(x.shape)
        (10, 160)
    """
    import torch

    from protsae.activations.config import ExtractionConfig
    from protsae.activations.passes import Passes
    from protsae.activations.schema import vectors_to_numpy
    from protsae.activations.shard import Recipe, ShardJob, compute_shard
    from protsae.plm.residues import check_residues

    given = (sequences,) if isinstance(sequences, str) else tuple(sequences)
    hook_point = _checked_hook_point(plm, at)
    config = ExtractionConfig(hook_point=hook_point, dtype="float32")
    lengths = [len(sequence) for sequence in given]
    names = tuple(f"sequence {number}" for number in range(1, len(given) + 1))
    for name, sequence in zip(names, given, strict=True):
        check_residues(sequence, name)
    found: list[Tensor] = []
    if given:
        recipe = Recipe(config, (hook_point,), plm.d_model, {})
        job = ShardJob(0, names, given, tuple(lengths), "")
        values = vectors_to_numpy(compute_shard(job, recipe, Passes(plm, config, (hook_point,)))[hook_point])
        found = list(torch.split(torch.from_numpy(values.astype("float32")), lengths))
    return found[0] if isinstance(sequences, str) else found


def _checked_hook_point(plm: "PlmModel", at: "str | Dictionary") -> str:
    from protsae.plm.hook_points import parse_hook_point

    if isinstance(at, str):
        return str(parse_hook_point(at, plm.n_layers))
    if at.hook_point is None:
        raise InputError(
            f"dictionary '{at.name}' does not say which layer it was made for: give the hook point, such as "
            "'layers.2.resid_post'"
        )
    at.check_model(plm, hook_point=at.hook_point)
    return at.hook_point


def encode(sae: "Dictionary", x: "Tensor | np.ndarray", *, accept_mismatch: bool = False) -> "Tensor":
    """Return the codes of raw activations.

    Args:
        sae: the dictionary.
        x: raw activations [n, d_model].
        accept_mismatch: warn of activations unlike those of training, instead of refusing them.

    Returns:
        Codes [n, d_sae] >= 0, most of them zero.

    Raises:
        InputError: activations of another width, scale or origin than those of training.

    Example:
        >>> import protsae
        >>> sae, plm = protsae.load_sae("demo"), protsae.load_plm("demo")
        >>> x = protsae.extract("MKTAYIAKQRQISFVKSHFSRQ", plm, sae)
        >>> tuple(protsae.encode(sae, x).shape)
        (22, 1024)
        >>> protsae.encode(sae, 10 * x)
        Traceback (most recent call last):
            ...
        protsae.core.errors.InputError: activations have a root mean square of ...
    """
    return sae.encode(x, accept_mismatch=accept_mismatch)


def decode(
    sae: "Dictionary",
    latent_acts: "Tensor | np.ndarray",
    like: "Tensor | np.ndarray | None" = None,
) -> "Tensor":
    """Return the raw activations that codes stand for.

    Args:
        sae: the dictionary.
        latent_acts: codes [n, d_sae].
        like: the raw activations that the codes come from; only dictionaries over normalised tokens
            (InterProt's, some of InterPLM's) need them.

    Returns:
        Raw activations [n, d_model].

    Raises:
        InputError: another number of latents, or `like` is needed and not given.

    Example:
        >>> import protsae
        >>> sae, plm = protsae.load_sae("demo"), protsae.load_plm("demo")
        >>> x = protsae.extract("MKTAYIAKQRQISFVKSHFSRQ", plm, sae)
        >>> error = (protsae.decode(sae, protsae.encode(sae, x)) - x).square().sum()
        >>> bool(error < 0.1 * (x - x.mean(dim=0)).square().sum())
        True
    """
    return sae.decode(latent_acts, like)


@dataclass(frozen=True)
class LatentCard:
    """What is known of one latent."""

    latent: int
    """Its number."""
    card: dict[str, Any]
    """Its row of the table `latents`."""
    concepts: "pd.DataFrame"
    """The concepts that it matches best: rows of `latent_concepts`, without `method` and `latent`."""
    examples: "pd.DataFrame"
    """Proteins on which it is most active: rows of `latent_examples`, likewise."""

    @property
    def sentence(self) -> str:
        """Its explanation; empty if the release has none of it."""
        found = self.card.get("sentence")
        return found if isinstance(found, str) else ""

    def __str__(self) -> str:
        """Return name, explanation and best concept, a line each."""
        name = self.card.get("name")
        lines = [f"latent {self.latent}" + (f": {name}" if isinstance(name, str) and name else "")]
        if self.sentence:
            mark = " [written by a language model]" if self.card.get("is_generated", 0) == 1 else ""
            lines.append(f"{self.sentence}{mark}")
        if isinstance(best := self.card.get("best_concept_name"), str) and best:
            scores = [f"{self.card[key]:.2f}" for key in ("f1_test", "f1_test_always_on")]
            lines.append(f"best concept: {best} (F1 on test {scores[0]}, always on {scores[1]})")
        if isinstance(letters := self.card.get("top_residues"), str) and letters:
            lines.append(f"fires on: {letters}")
        return "\n".join(lines)


def explain(sae: "Dictionary", latent: int | str) -> LatentCard:
    """Return what is known of one latent: card, explanation, concepts, examples.

    All latents at once are the table `sae.release.latents`.

    Args:
        sae: a dictionary with tables, of a release.
        latent: its number, or the id or the name of the concept that it was tied to.

    Raises:
        InputError: a dictionary without tables, or no such latent.

    Example:
        >>> import protsae
        >>> card = protsae.explain(protsae.load_sae("demo"), "DNA binding")
        >>> card.card["concept_id"], card.card["kind"]
        ('GO:0003677', 'defined')
    """
    tables = sae.tables
    latents = tables.latents
    number = latent if isinstance(latent, int) else _latent_of(sae, latent)
    rows = latents[latents["latent"] == number]
    if rows.empty:
        raise InputError(f"dictionary '{sae.name}' has no latent {number}: give 0 to {sae.d_sae - 1}")

    def of_latent(name: str) -> "pd.DataFrame":
        table: pd.DataFrame = getattr(tables, name)
        found = table[table["latent"] == number].drop(columns=["method", "latent"], errors="ignore")
        return found.reset_index(drop=True)

    card = {str(key): value for key, value in rows.iloc[0].items()}
    return LatentCard(number, card, of_latent("latent_concepts"), of_latent("latent_examples"))


def _latent_of(sae: "Dictionary", concept: str) -> int:
    from difflib import get_close_matches

    concepts = sae.tables.concepts
    named = concepts[concepts["concept_id"].isin(sae.concept_ids)]
    found = named.index[(named["concept_id"] == concept) | (named["name"].str.lower() == concept.lower())]
    if len(found):
        return sae.concept_ids.index(named.loc[found[0], "concept_id"])
    near = get_close_matches(concept, [*named["name"], *named["concept_id"]], n=3, cutoff=0.4)
    hint = f"near ones: {', '.join(near)}" if near else "sae.release.concepts lists them"
    raise InputError(f"dictionary '{sae.name}' has no latent for the concept '{concept}': {hint}")


class Splice(NamedTuple):
    """What a language model expects at every residue, as log-probabilities [length, 20] over `letters`."""

    before: "Tensor"
    """Of the model as it is."""
    after: "Tensor"
    """With the activations replaced."""
    letters: str = AMINO_ACIDS
    """The amino acids, in the order of the columns."""


def splice(
    sae: "Dictionary",
    plm: "PlmModel",
    sequence: str,
    edit: "Callable[[Tensor], Tensor] | None" = None,
    *,
    keep_error: bool = True,
) -> Splice:
    """Put the dictionary's reconstruction into the language model in place of its activations.

    Args:
        sae: the dictionary.
        plm: the model that it was made for.
        sequence: the residues; the model sees all of them, none is masked.
        edit: changes the codes [length, d_sae] before they are decoded; None: they stay.
        keep_error: whether what the dictionary does not rebuild stays in place, so that the edit alone
            changes the result. False: the reconstruction alone goes on.

    Returns:
        What the model expects at every residue, before and after.

    Raises:
        InputError: another model, a letter that is no residue, or an edit that changes the shape.

    Example:
        >>> import protsae
        >>> sae, plm = protsae.load_sae("demo"), protsae.load_plm("demo")
        >>> found = protsae.splice(sae, plm, "MKTAYIAKQRQISFVKSHFSRQ")
        >>> bool((found.after - found.before).abs().max() < 1e-3)  # nothing was edited
        True
    """
    import torch

    from protsae.plm.forward import Esm2Forward

    forward = Esm2Forward(plm, [])
    paused = forward.run_to([sequence], _checked_hook_point(plm, sae))

    def replace(x: "Tensor") -> "Tensor":
        codes = sae.encode(x)
        changed = codes if edit is None else edit(codes.clone())
        if changed.shape != codes.shape:
            raise InputError(f"the edit returns {list(changed.shape)}, codes are {list(codes.shape)}")
        error = x - sae.decode(codes, like=x) if keep_error else torch.zeros_like(x)
        return sae.decode(changed, like=x) + error

    columns = [plm.module.alphabet.get_idx(letter) for letter in AMINO_ACIDS]
    runs = (forward.finish(paused), forward.finish(paused, replace))
    before, after = (torch.log_softmax(logits[:, columns], dim=1) for logits in runs)
    return Splice(before, after)


def predict(
    proteins: "str | Path | Mapping[str, str]",
    sae: "Dictionary | Release | str | Path" = "demo",
    *,
    variants: str | Path | None = None,
    folder: str | Path | None = None,
    plm: str | Path | None = None,
    **settings: Any,
) -> "Prediction":
    """Predict which concepts and latents are in proteins, as the pipeline `prediction` does.

    Args:
        proteins: one sequence as text; a file (`pathlib.Path`) of proteins: FASTA or another format of
            docs/inputs.md; or protein id to sequence.
        sae: a dictionary with tables, a release, its name or its folder.
        variants: a table of substitutions of these proteins, see docs/prediction.md.
        folder: where the tables are written, resumable; None: a temporary folder, deleted with the result.
        plm: weights of the language model, if the release does not hold them.
        **settings: of `prediction.config.PredictionConfig`, such as `accept_mismatch=True`.

    Returns:
        A handle: `.tables`, `.table(name)` and `.documents()`; docs/prediction.md has the columns.

    Raises:
        InputError: input that cannot be read, a release without what prediction needs, or a mismatch.

    Example:
        >>> import protsae
        >>> found = protsae.predict("MARSIKKGPFVDLHLLSKVEAAREANDKRPIKTWSRRSTVLPDFIGLTIAVHNGKQHVPVY")
        >>> found.table("concept_scores")["protein_id"].unique().tolist()
        ['sequence']
    """
    from protsae.prediction.predicting import predict_proteins
    from protsae.release.dictionary import Dictionary

    release = sae.tables if isinstance(sae, Dictionary) else sae
    return predict_proteins(proteins, release, variants=variants, folder=folder, plm=plm, **settings)


def read_activations(source: str | Path, *, column: str | None = None) -> "ActivationStore":
    """Open stored activations: those that the pipeline `extraction` wrote, or Parquet files of any origin.

    Args:
        source: the folder `data/04_feature/activations`, or a Parquet file or a folder of them
            (docs/training.md has the schema).
        column: the vectors of Parquet files of any origin; None: the only column that can be.

    Returns:
        A store: `protein_ids`, `hook_points`, `d_model`, and `iter_proteins(hook_point)`, which yields
        (protein id, float32 [length, d_model]) without holding more than a part in memory.

    Raises:
        InputError: nothing there, damaged files, or files of another schema.

    Example:
        >>> import protsae
        >>> protsae.read_activations("nothing/here")
        Traceback (most recent call last):
            ...
        protsae.core.errors.InputError: nothing/here is no Parquet file and no folder with any (*.parquet)
    """
    from protsae.activations.manifest import MANIFEST_NAME
    from protsae.activations.parquet import ParquetStore
    from protsae.activations.reader import ActivationStore

    own = (Path(source) / MANIFEST_NAME).is_file()
    return ActivationStore(source) if own else ParquetStore(source, column)


class Comparison(NamedTuple):
    """Two dictionaries of one language model and layer."""

    summary: "pd.DataFrame"
    """A row per property, a column per dictionary."""
    matches: "pd.DataFrame"
    """One row per latent of the first: `latent`, `name`, the `nearest` latent of the second and its
    `nearest_name`, and the `cosine` of their decoder directions. Names are of the concepts that defined
    latents are tied to, of other latents those that they match best; empty without tables. Latents of the
    second that never fire, by its tables, are left out. Trainings with one seed begin with the same
    directions: there, a nearest latent of the same number is no finding."""


def compare(first: "Dictionary", second: "Dictionary", x: "Tensor | np.ndarray | None" = None) -> Comparison:
    """Compare two dictionaries.

    Args:
        first: one dictionary.
        second: another one, of the same language model and layer.
        x: raw activations [n, d_model]; with them the summary has what both make of these.

    Raises:
        InputError: dictionaries of other models, layers or widths: their latents have nothing in common.

    Example:
        >>> import protsae
        >>> found = protsae.compare(protsae.load_sae("demo"), protsae.load_sae("demo_topk"))
        >>> found.summary.loc["defined latents"].tolist()[1]
        0
        >>> found.matches.columns.tolist()
        ['latent', 'name', 'nearest', 'nearest_name', 'cosine']
    """
    import pandas as pd
    import torch
    from torch.nn.functional import normalize

    pair = (first, second)
    _check_comparable(first, second)
    columns = [dictionary.name for dictionary in pair]
    if columns[0] == columns[1]:
        columns = [f"{columns[0]} (first)", f"{columns[1]} (second)"]
    summary = pd.DataFrame(
        {column: _facts(dictionary, x) for column, dictionary in zip(columns, pair, strict=True)},
        dtype=object,
    )
    ours, theirs = (normalize(dictionary.decoder.double(), dim=1) for dictionary in pair)
    alive = torch.tensor(_alive(second))
    best = [(part @ theirs[alive].T).max(dim=1) for part in torch.split(ours, 1024)]
    nearest = alive[torch.cat([found.indices for found in best])].numpy()
    names = [_names(dictionary) for dictionary in pair]
    matches = pd.DataFrame(
        {
            "latent": range(first.d_sae),
            "name": names[0],
            "nearest": nearest,
            "nearest_name": [names[1][latent] for latent in nearest],
            "cosine": torch.cat([found.values for found in best]).numpy(),
        }
    )
    return Comparison(summary, matches)


def _check_comparable(first: "Dictionary", second: "Dictionary") -> None:
    one, other = first.made_for, second.made_for
    for what, a, b in (
        ("width", one.d_model, other.d_model),
        ("language model", one.model_sha256, other.model_sha256),
        ("hook point", one.hook_point, other.hook_point),
    ):
        if a is not None and b is not None and a != b:
            models = (f"{about.model} (sha256 {str(about.model_sha256)[:12]})" for about in (one, other))
            shown = tuple(models) if what == "language model" else (a, b)
            raise InputError(
                f"dictionary '{one.name}' was made for {what} {shown[0]}, '{other.name}' for {shown[1]}: "
                "their latents are directions in different spaces and cannot be compared"
            )


def _facts(sae: "Dictionary", x: "Tensor | np.ndarray | None") -> dict[str, Any]:
    seen = sae.made_for.activations
    facts = {
        "architecture": sae.architecture,
        "latents": sae.d_sae,
        "defined latents": len(sae.concept_ids),
        "FVE on record": None if seen is None or seen.fve is None else round(seen.fve, 4),
    }
    if x is None:
        return facts
    from protsae.metrics.reconstruction import ReconstructionAccumulator

    codes = sae.encode(x)
    measured = ReconstructionAccumulator()
    rows = codes.new_tensor(x) if not hasattr(x, "to") else x.to(codes)
    measured.update(rows, sae.decode(codes, like=rows), codes)
    found = measured.compute()
    return {
        **facts,
        "FVE": round(found["fve"], 4),
        "active latents per residue": round(found["l0"], 2),
        "latents that never fire": round(found["dead_share"] * sae.d_sae),
    }


def _alive(sae: "Dictionary") -> list[int]:
    """Return the latents that fire, by the tables; without them all."""
    if sae.release is None or not sae.release.has("latents") or "max_act" not in sae.release.latents:
        return list(range(sae.d_sae))
    latents = sae.release.latents
    return sorted(latents.loc[latents["max_act"] > 0, "latent"].tolist())


def _names(sae: "Dictionary") -> list[str]:
    """Return a name per latent: its concept, else the one that it matches best, else nothing."""
    import pandas as pd

    found = pd.Series("", index=range(sae.d_sae), dtype=object)
    if sae.release is not None and sae.release.has("latents"):
        latents = sae.release.latents.set_index("latent")
        given = latents[["name", "best_concept_name"]].replace("", None).bfill(axis=1)["name"].dropna()
        found.update(given)
    return [str(name) for name in found]
