"""benchmarks/alignment.py keeps the summary as it is, and of the metrics the k-sparse probes."""

import pandas as pd
from tests.benchmarks.scripts import load_script


def test_the_summary_and_the_k_sparse_rows_are_kept(tmp_path):
    summary = pd.DataFrame({"method": ["topk"], "f1_test": [0.1234567]})
    metrics = pd.DataFrame(
        {"metric": ["concept_coverage", "k_sparse_auc"], "preset": ["protein", "k=5"], "value": [0.2, 0.7]}
    )
    written = load_script("alignment").write_tables(summary, metrics, tmp_path, "demo")
    assert [path.name for path in written] == ["alignment_demo.csv", "alignment_k_sparse_demo.csv"]
    assert written[0].read_text() == "method,f1_test\ntopk,0.123457\n"
    assert written[1].read_text() == "metric,preset,value\nk_sparse_auc,k=5,0.7\n"
