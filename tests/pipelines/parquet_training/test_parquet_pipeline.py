"""The pipeline over Parquet files, by the command that a user types."""

import numpy as np
from tests.activations.test_parquet import write


def test_a_folder_of_files_is_enough(make_miniature, tmp_path):
    rng = np.random.default_rng(0)
    proteins = {f"Q{i:02d}": rng.normal(size=(12, 8)).astype(np.float32) for i in range(30)}
    (tmp_path / "files").mkdir()
    write(tmp_path / "files/a.parquet", proteins)
    miniature = make_miniature(tmp_path / "project")
    arguments = ["run", "--pipelines", "parquet_training", "--params"]
    small = "training.d_sae=16,training.k=2,training.trainer.epochs=2"
    miniature.kedro(*arguments, f"training.manifest={tmp_path / 'files'},{small}")
    made = miniature.data / "06_models/parquet"
    assert (made / "sae.safetensors").is_file()
    assert len((made / "training_log.csv").read_text().splitlines()) > 10
    done = miniature.kedro("run", "--pipelines", "parquet_training", check=False)
    assert done.returncode != 0
    assert "no folder of Parquet files is given" in done.stdout + done.stderr
