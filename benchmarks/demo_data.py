"""Cut the embedded demo data from the full files again, byte for byte.

    python benchmarks/demo_data.py data/01_raw/demo --data ../shared/data --plm esm2_mini.safetensors

Protein files, ontology and language model are those that data/01_raw/demo/ATTRIBUTION.md names.
"""

import argparse
from pathlib import Path

from helpers.demo_selection import MIN_PROTEINS_PER_SPLIT
from helpers.demo_slice import Sources, make_demo


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=make_demo.__doc__)
    parser.add_argument("folder", type=Path, help="where to write, such as data/01_raw/demo")
    parser.add_argument("--data", type=Path, required=True, help="folder with swissprot_go/ and go/")
    parser.add_argument("--plm", type=Path, required=True, help="esm2_mini.safetensors")
    arguments = parser.parse_args()
    swissprot = arguments.data / "swissprot_go"
    chosen = make_demo(
        Sources(
            fasta=swissprot / "proteins.fasta.gz",
            annotations=swissprot / "annotations.tsv.gz",
            clusters=swissprot / "clusters.tsv.gz",
            ontology=arguments.data / "go" / "go.obo.gz",
            plm=arguments.plm,
        ),
        arguments.folder,
    )
    counts = {split: sum(c.split == split for c in chosen) for split in MIN_PROTEINS_PER_SPLIT}
    print(f"{len(chosen)} proteins: {counts}")


if __name__ == "__main__":
    main()
