"""A small made-up atlas in the page's format, with hostile texts, for tests of the page."""

from collections.abc import Iterator
from math import cos, sin
from random import Random
from typing import Any

HOSTILE = '</script><img src=x onerror="document.title=1">'
N_LATENTS, N_PROTEINS, CHUNK = 40, 20, 8
AMINO_ACIDS = "ACDEFGHIKLMNPQRSTVWY"
CONCEPTS = [
    ("GO:0003674", "molecular activity", "MFO", "protein", []),
    ("GO:0046872", "metal ion binding", "MFO", "protein", [0]),
    ("GO:0008270", "zinc ion binding", "MFO", "protein", [1]),
    ("GO:0006259", "DNA metabolic process", "BPO", "protein", []),
    ("GO:0016020", f"membrane {HOSTILE}", "CCO", "protein", []),
    ("PS00028", "zinc finger C2H2", "motif", "residue", []),
]
DICTIONARIES = ["protsae", "topk"]


def sequence(protein: int) -> str:
    """Random letters, the same every time."""
    return "".join(Random(protein).choices(AMINO_ACIDS, k=60 + 13 * protein))


def protein_id(protein: int) -> str:
    return "P1|<b>odd</b>&'\"/?#%" if protein == 3 else f"P{12345 + protein}"


def table(**columns: list[Any]) -> dict[str, Any]:
    return {"n": len(next(iter(columns.values()))), "columns": columns}


def runs(latent: int, protein: int) -> list[list[Any]]:
    """Where a latent is active in a protein: two runs, as codes of 0 to 255."""
    start = (latent * 5 + protein) % 30
    return [[start, [40, 255 - 4 * latent, 90]], [start + 15, [10 + latent]]]


def helix(residues: str) -> str:
    """A structure file: the backbone of one ideal helix."""
    names = {
        "A": "ALA",
        "C": "CYS",
        "D": "ASP",
        "E": "GLU",
        "F": "PHE",
        "G": "GLY",
        "H": "HIS",
        "I": "ILE",
        "K": "LYS",
        "L": "LEU",
        "M": "MET",
        "N": "ASN",
        "P": "PRO",
        "Q": "GLN",
        "R": "ARG",
        "S": "SER",
        "T": "THR",
        "V": "VAL",
        "W": "TRP",
        "Y": "TYR",
    }
    lines = []
    for number, letter in enumerate(residues, start=1):
        for atom, radius, turn, rise in (
            ("N", 1.5, -0.5, -0.9),
            ("CA", 2.3, 0.0, 0.0),
            ("C", 1.7, 0.46, 1.1),
            ("O", 2.0, 0.55, 2.3),
        ):
            angle = number * 1.745 + turn
            x, y, z = 1.5 * number + rise, radius * cos(angle), radius * sin(angle)
            place = f"{x:8.3f}{y:8.3f}{z:8.3f}  1.00 80.00"
            residue = f"{names[letter]} A{number:4d}"
            lines.append(f"ATOM  {len(lines) + 1:5d}  {atom:<3s} {residue}    {place}           {atom[0]}")
    return "\n".join([*lines, "END", ""])


def _list_of(position: int) -> dict[str, Any]:
    numbers = range(N_LATENTS)
    defined = 6 if position == 0 else 0
    return table(
        kind=["defined" if n < defined else "free" for n in numbers],
        density=[0.0 if n == 39 else 0.002 * (n + 1) for n in numbers],
        max_act=[0.0 if n == 39 else 1.0 + 0.1 * n for n in numbers],
        concept=[n if n < defined else (-1 if n % 7 == 0 else n % 6) for n in numbers],
        f1=[None if n >= defined and n % 7 == 0 else round(0.9 - 0.02 * n, 3) for n in numbers],
        floor=[None if n >= defined and n % 7 == 0 else 0.2 for n in numbers],
        residue_f1=[None] * N_LATENTS,
        shape=["dead" if n == 39 else ("point", "short", "long")[n % 3] for n in numbers],
        family=[n // 4 for n in numbers],
        topic=[n % 5 for n in numbers],
        confidence=[("high", "medium", "low")[n % 3] for n in numbers],
        detection=[0.5 + 0.01 * n for n in numbers],
        x=[sin(n) + n // 10 for n in numbers],
        y=[sin(2.3 * n + position) for n in numbers],
    )


def sentence(position: int, latent: int) -> str | None:
    if latent == 8:
        return f"Active at cysteines of {HOSTILE} loops that hold a cofactor."
    return (
        None
        if latent % 7 == 0
        else f"Active at residue {latent} of helices in {DICTIONARIES[position]} examples."
    )


def card(position: int, latent: int) -> dict[str, Any]:
    protein = latent % N_PROTEINS
    text = sequence(protein)[5:45]
    return {
        "latent": latent,
        "act_q50": 0.4,
        "act_q90": 0.9,
        "median_run": 2,
        "coverage": 0.1,
        "position_skew": -0.2,
        "position_profile": [1, 2, 3, 4, 5, 4, 3, 2, 1, 0],
        "top_residues": "C H",
        "consensus": "CxxC",
        "logo": [[0.05 * ((row + column) % 9) for column in range(20)] for row in range(11)],
        "neighbours": [(latent + 1) % N_LATENTS, (latent + 2) % N_LATENTS],
        "neighbour_cosines": [0.81, 0.4],
        "antipode": (latent + 5) % N_LATENTS,
        "antipode_cosine": -0.3,
        "promotes": "C:+1.2 H:+0.7",
        "suppresses": "W:-0.4",
        "output_score": 0.3,
        "input_score": 0.6,
        "family": latent // 4,
        "family_parent": -1,
        "topic": latent % 5,
        "monosemanticity": 0.62,
        "density_test": 0.002 * (latent + 1),
        "dense_class": "",
        "explanations": []
        if sentence(position, latent) is None
        else [
            {
                "author": "rules",
                "is_generated": False,
                "sentence": sentence(position, latent),
                "confidence": "high",
                "detection": 0.8,
                "detection_floor": 0.5,
                "fuzzing": 0.7,
                "fuzzing_floor": 0.52,
                "intruder": None,
                "n_scored": 40,
            }
        ],
        "windows": [
            {
                "protein": (protein + rank) % N_PROTEINS,
                "protein_id": protein_id((protein + rank) % N_PROTEINS),
                "split": "test",
                "quantile": quantile,
                "rank": rank,
                "max_act": round(quantile * (1 + 0.1 * latent), 3) or 0.01,
                "peak": 12,
                "start": 5,
                "seq": text,
                "acts": [
                    round(quantile * (1.234 if 5 + at == 12 else 0.01 * at), 3) for at in range(len(text))
                ],
                "has": rank % 2 == 0,
            }
            for quantile in (1.0, 0.5, 0.0)
            for rank in range(3)
        ],
        "concepts": [
            {
                "concept": 2,
                "level": "protein",
                "threshold": 0.31,
                "f1_validation": 0.8,
                "f1_test": 0.75,
                "floor": 0.2,
                "precision_test": 0.7,
                "recall_test": 0.81,
            }
        ],
        "enrichment": [
            {
                "concept": 1,
                "name": "metal ion binding",
                "odds_ratio": 12.5,
                "q_value": 1e-7,
                "n_clusters_active": 12,
            }
        ],
    }


def protein(index: int) -> dict[str, Any]:
    return {
        "sequence": sequence(index),
        "nearest_id": protein_id(0),
        "known": [{"concept": 1, "direct": False}, {"concept": 2, "direct": True}],
        "predicted": [
            {"concept": 2, "probability": 0.91, "threshold": 0.4, "known": True},
            {"concept": 4, "probability": 0.55, "threshold": 0.6, "known": False},
        ],
        "spans": [{"concept": 5, "start": 20, "end": 44}],
        "tracks": [
            {"dictionary": position, "latent": latent, "max": 1.0 + 0.1 * latent, "runs": runs(latent, index)}
            for position in (0, 1)
            for latent in range(0, 16, 2)
        ],
        "attributions": [
            attributed(0),
            attributed(
                -1, kind="latent", latent=12, concept=-1, label="latent 12", name="latent 12", note=HOSTILE
            ),
        ]
        if index == 1
        else [],
        "structures": []
        if index != 1
        else [
            {
                "file": 0,
                "kind": "pdb",
                "title": f"model {HOSTILE}",
                "chain": "A",
                "refused": None,
                "map": list(range(1, len(sequence(1)) + 1)),
            },
            {
                "file": 1,
                "kind": "pdb",
                "title": "other",
                "chain": "B",
                "refused": "Its sequence is another one: 12 % of the residues agree.",
                "map": [],
            },
        ],
    }


def attribution(index: int) -> dict[str, Any]:
    """What carries a prediction of a protein: the largest value at residue 11, the last two masked."""
    n = len(sequence(index))
    values = [round(0.01 * (at % 7 - 2), 3) for at in range(n)]
    return {
        "hook_point": "layers.2.resid_post",
        "masked": [n - 2, n - 1],
        "at_input": [-1.25 if at == 10 else value for at, value in enumerate(values)],
        "at_hook_point": [2 * value for value in values],
        "occlusion": [0.5 if at == 10 else 0.0 for at in range(n)],
        "regions": [
            {"rank": rank, "start": start, "end": start + 20, "insight": 0.9, "necessity": 0.4}
            for rank, start in ((2, 0), (1, 20), (3, 40))
        ],
        "latents": [
            {
                "latent": latent,
                "n_residues": 9,
                "integrated_gradients": 3.5 - latent,
                "gradient_x_activation": 3.0,
                "ablation": 0.5 * latent,
                "learned_mask": 0.25,
            }
            for latent in (2, -1, *range(9, 17))
        ],
        "n_latents": 33,
        "summary": [
            {"what": "latents", "method": "ablation", "n_kept": 3, "n_settled": 4},
            {"what": "regions", "method": "random", "insertion_auc": 0.6, "deletion_auc": 0.3},
        ],
    }


def attributed(file: int, **more: Any) -> dict[str, Any]:
    about = {"kind": "predictor", "dictionary": 0, "concept": 2, "latent": -1, "label": "GO:0008270"}
    scores = {"full": 1.5, "empty": -2.25, "is_annotated": True, "note": None}
    return {"file": file, **about, "name": f"zinc {HOSTILE}", **scores, **more}


DESIGNS = [
    (protein_id(3), "GO:0008270", 2, -1, 2.0),
    (protein_id(1), "GO:0008270", 2, -1, 2.0),
    (protein_id(1), "latent 12", -1, 12, 4.0),
    (f"mine {HOSTILE}", "latent 12", -1, 12, 4.0),
]
"""Protein, target, concept, latent, scale."""


def design(number: int) -> dict[str, Any]:
    """Residues 3 to 6 and 70 are masked; 3 and 70 are changed."""
    original = sequence(3)
    changed = {2: "W" if original[2] != "W" else "Y", 69: "C" if original[69] != "C" else "D"}
    written = "".join(changed.get(at, letter) for at, letter in enumerate(original))
    return {"original": original, "masked": [2, 3, 4, 5, 69], "design": written if number else original}


def steering() -> Iterator[tuple[str, Any]]:
    n = len(DESIGNS)
    numbers = {"sample": [0, 0, 1, 0], "seed": [7] * n, "length": [99] * n, "n_masked": [5] * n}
    scores = {
        "n_mutations": [0, 2, 2, 2],
        "identity": [1.0, 0.98, 0.98, 0.98],
        "confidence": [-0.5] * n,
        "pseudo_perplexity": [6.25, 5.0, 7.5, 4.0],
        "original_pseudo_perplexity": [6.25] * n,
        "target_score": [0.1, 0.9, 0.3, 0.2],
        "original_target_score": [0.1] * n,
        "off_target_change": [0.01] * n,
        "plddt": [None, 71.5, None, None],
        "original_plddt": [None, 80.25, None, None],
        "tm_score": [None, 0.8125, None, None],
    }
    listed = {name: [each[i] for each in DESIGNS] for i, name in ((0, "id"), (1, "target"), (4, "scale"))}
    places = {"concept": [each[2] for each in DESIGNS], "latent": [each[3] for each in DESIGNS]}
    designs = table(**listed, **places, protein=[3, 1, 1, -1], mode=["add_max"] * n, **numbers, **scores)
    settings = {"positions": {"strategy": "given"}, "decoding": {"rounds": 8, "temperature": 0.0}}
    about = {"n_all": 9, "dictionary": 0, "perplexity_by": [f"twin {HOSTILE}"], "settings": settings}
    yield "steering", {**about, "designs": designs}
    yield from _chunks("steering", [design(number) for number in range(n)], 2)
    arms = [("named", 0.7), ("difference_of_means", 0.5), ("random_latent", 0.1), (f"own {HOSTILE}", 0.6)]
    rows = [(target, arm, value) for target in ("mean", "one") for arm, value in arms]
    yield (
        "steering-arms",
        {
            "arms": table(
                arm=[arm for _, arm, _ in rows],
                target=[target for target, _, _ in rows],
                n_seeds=[3] * len(rows),
                score=[value if target == "mean" else value / 2 for target, _, value in rows],
                score_low=[0.05] * len(rows),
                score_high=[0.75] * len(rows),
                gain=[value for _, _, value in rows],
                difference=[value - 0.5 for _, _, value in rows],
                difference_low=[-0.1] * len(rows),
                difference_high=[0.3] * len(rows),
                strength=[1.5] * len(rows),
            ),
            "doses": table(
                target=["one"] * 8,
                arm=[arm for arm, _ in arms for _ in (0, 1)],
                strength=[0.5, 1.5] * 4,
                score=[value * part for _, value in arms for part in (0.5, 1.0)],
            ),
        },
    )


def _concept(index: int) -> dict[str, Any]:
    row = {
        "threshold": 0.4,
        "gate": 0.1,
        "aupr": 0.5,
        "aupr_low": 0.4,
        "aupr_high": 0.6,
        "f1": 0.7,
        "f1_floor": 0.2,
    }
    return {
        "definition": f"What is called {CONCEPTS[index][1]}.",
        "parents": CONCEPTS[index][4],
        "children": [other for other in range(len(CONCEPTS)) if index in CONCEPTS[other][4]],
        "rows": [
            {
                "dictionary": 0,
                "method": "protsae_latent",
                "label": "ProtSAE defined latent",
                "supervision": "training",
                "floor": False,
                "latent": index,
                "auc": 0.9,
                "auc_low": 0.85,
                "auc_high": 0.94,
                **row,
            },
            {
                "dictionary": 1,
                "method": "topk_latent",
                "label": "TopK best latent",
                "supervision": "selection",
                "floor": False,
                "latent": 9,
                "auc": 0.8,
                "auc_low": 0.7,
                "auc_high": 0.86,
                **row,
            },
            {
                "dictionary": None,
                "method": "shuffled_labels",
                "label": "shuffled labels",
                "supervision": "probe",
                "floor": True,
                "auc": 0.5,
                "auc_low": 0.45,
                "auc_high": 0.55,
            },
        ],
        "missing": [
            {
                "protein": 3,
                "probability": 0.88,
                "threshold": 0.4,
                "known": False,
                "evidence": f"CxxC at 12 {HOSTILE}",
            }
        ],
        "latents": [{"dictionary": 1, "latent": 9, "f1_validation": 0.7, "f1_test": 0.66, "floor": 0.2}],
    }


def _chunks(stem: str, entries: list[Any], size: int = CHUNK) -> Iterator[tuple[str, Any]]:
    for start in range(0, len(entries), size):
        yield f"{stem}-{start // size}", entries[start : start + size]


def files() -> Iterator[tuple[str, Any]]:
    """Yield name and value of every data file."""
    n = len(CONCEPTS)
    scores = {name: {"value": 0.7, "low": 0.65, "high": 0.75} for name in ("auc", "aupr", "fmax")}
    difference = {name: {"value": 0.05, "low": 0.01, "high": 0.09} for name in ("auc", "aupr", "fmax")}
    yield (
        "index",
        {
            "run": "toy",
            "version": "0",
            "created": None,
            "subject": "protsae",
            "rival": "topk",
            "dictionaries": [
                {
                    "name": name,
                    "label": label,
                    "architecture": name,
                    "n_latents": N_LATENTS,
                    "n_defined": 6 if name == "protsae" else 0,
                    "d_model": 32,
                    "k": 8,
                    "seed": 0,
                    "sha256": "ab" * 32,
                    "hook_point": "layers.2.resid_post",
                    "fve": 0.9,
                    "l0": 8.0,
                }
                for name, label in zip(DICTIONARIES, ("ProtSAE", "TopK SAE"), strict=True)
            ],
            "plm": {"name": f"mini {HOSTILE}", "sha256": "cd" * 32},
            "aspects": {
                "MFO": {"name": "molecular function", "colour": "#E69F00"},
                "BPO": {"name": "biological process", "colour": "#56B4E9"},
                "CCO": {"name": "cellular component", "colour": "#CC79A7"},
                "motif": {"name": "motif", "colour": "#009E73"},
            },
            "counts": {"proteins": N_PROTEINS, "concepts": n, "residues": 4000, "latents": 80},
            "splits": {"train": 10, "test": 10},
            "chunk": {
                "sentences": 16,
                "latent": CHUNK,
                "concept": CHUNK,
                "protein": CHUNK,
                "sequences": CHUNK,
                "design": 2,
            },
            "sources": [{"file": f"proteins {HOSTILE}.fasta", "sha256": "ef" * 32}],
            "attribution": ["Made up."],
            "has": {
                "prediction": True,
                "structures": False,
                "explanations": True,
                "steering": True,
                "arms": True,
                "attribution": True,
            },
        },
    )
    yield (
        "overview",
        {
            "methods": [
                {
                    "label": "ProtSAE defined latent",
                    "method": "protsae_latent",
                    "supervision": "training",
                    "floor": False,
                    "scores": scores,
                },
                {
                    "label": "shuffled labels",
                    "method": "shuffled_labels",
                    "supervision": "probe",
                    "floor": True,
                    "scores": scores,
                },
            ],
            "differences": [
                {
                    "first": "ProtSAE defined latent",
                    "second": "TopK best latent",
                    "verdict": "higher",
                    "scores": difference,
                }
            ],
            "curves": [
                {
                    "dictionary": name,
                    "term": term,
                    "split": "train",
                    "step": [0, 100, 200],
                    "value": [0.1, 0.6, 0.8],
                }
                for name in DICTIONARIES
                for term in ("fve", "l0")
            ],
            "density": table(
                dictionary=["protsae", "protsae", "topk"],
                kind=["free"] * 3,
                low=[None, -3, -3],
                high=[None, -2, -2],
                n=[1, 30, 39],
            ),
            "result": "A made-up result.",
        },
    )
    scored = {
        f"{name}_{position}": [value - 0.03 * row for row in range(n)]
        for position in (0, 1)
        for name, value in (
            ("auc", 0.9),
            ("auc_low", 0.85),
            ("auc_high", 0.95),
            ("aupr", 0.5),
            ("f1", 0.7),
            ("floor", 0.2),
        )
    }
    yield (
        "concepts",
        table(
            id=[each[0] for each in CONCEPTS],
            name=[each[1] for each in CONCEPTS],
            aspect=[each[2] for each in CONCEPTS],
            level=[each[3] for each in CONCEPTS],
            n_train=[30] * n,
            n_test=[12] * n,
            prevalence=[0.1] * n,
            parents=[each[4] for each in CONCEPTS],
            latent_0=list(range(n)),
            latent_1=[9] * n,
            **scored,
        ),
    )
    yield from _chunks("concept", [_concept(index) for index in range(n)])
    for position in (0, 1):
        yield f"latents-{position}", _list_of(position)
        yield from _chunks(f"latent-{position}", [card(position, latent) for latent in range(N_LATENTS)])
        yield from _chunks(
            f"sentences-{position}", [sentence(position, latent) for latent in range(N_LATENTS)], 16
        )
    descriptions = [HOSTILE if index == 3 else f"Protein number {index}" for index in range(N_PROTEINS)]
    yield (
        "proteins",
        table(
            id=[protein_id(index) for index in range(N_PROTEINS)],
            description=descriptions,
            length=[len(sequence(index)) for index in range(N_PROTEINS)],
            split=["test" if index % 2 else "train" for index in range(N_PROTEINS)],
            nearest_identity=[None if index % 2 else 0.31 for index in range(N_PROTEINS)],
            has_page=[index != 19 for index in range(N_PROTEINS)],
        ),
    )
    yield from _chunks("protein", [None if index == 19 else protein(index) for index in range(N_PROTEINS)])
    yield "structure-0", {"text": helix(sequence(1)), "kind": "pdb"}
    yield from _chunks("sequences", [sequence(index) for index in range(N_PROTEINS)])
    yield (
        "search",
        {
            "entries": table(
                kind=["motif", "protein"], dictionary=[0, -1], index=[4, 5], text=["CxxCxxH", "Q9OLD7"]
            )
        },
    )
    yield (
        "prediction",
        {
            "fasta": "my.fasta",
            "created": None,
            "n": 2,
            "release": "demo",
            "proteins": table(
                id=["mine", "mine C5S"], description=[HOSTILE, ""], length=[60, 60], group=[None, "mine"]
            ),
        },
    )
    before_and_after = {"before": 0.0, "after": 0.8}
    variant = {
        **protein(0),
        "id": "mine C5S",
        "mutations": ["C5S"],
        "llr": -2.5,
        "score": "masked",
        "tracks": [],
        "predicted": [],
        "gained": [{"dictionary": 0, "latent": 4, "sentence": HOSTILE, **before_and_after}],
        "lost": [{"dictionary": None, "latent": 9, "sentence": None, **before_and_after}],
        "changes": [
            {"concept": 2, "concept_id": "GO:0008270", "name": "zinc ion binding", **before_and_after}
        ],
    }
    yield "prediction-0", [{**protein(0), "id": "mine", "attributions": [attributed(1)]}, variant]
    yield "attribution-0", attribution(1)
    yield "attribution-1", attribution(0)
    yield (
        "attributions",
        [
            {"id": name, "name": "zinc", "in_run": known}
            for name, known in ((protein_id(1), True), (protein_id(3), True), ("mine", False))
        ],
    )
    yield from steering()
