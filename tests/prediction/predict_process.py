"""A whole prediction in a process of its own, to be killed: `python predict_process.py RELEASE FOLDER`."""

import sys
from pathlib import Path

from tests.prediction.small import plan_of, some_proteins

from protsae.release import open_release


def main(release: str, folder: str) -> None:
    plan = plan_of(open_release(release), some_proteins(60), proteins_per_shard=2)
    print("begins", flush=True)
    plan.run(Path(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
