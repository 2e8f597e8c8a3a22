"""Proteins with a planted switch: what is said of them stands in them."""

import numpy as np

from helpers.planted_switch import (
    CONFOUNDED,
    CUE,
    N_SITES,
    OFF_MOTIF,
    OFF_TAG,
    ON_MOTIF,
    ON_TAG,
    RARE_TAG,
    TAIL,
    WORD,
    draw,
    table_of,
)

PROTEINS = draw("train", 2000, 0)


def test_every_part_stands_where_it_is_said_to():
    for protein in PROTEINS:
        letters, labels = np.array(list(protein.sequence)), protein.labels
        found = {part: "".join(letters[places]) for part, places in protein.parts.items()}
        tag = (RARE_TAG if labels["rare_tag"] else ON_TAG) if labels["switch"] else OFF_TAG
        motif = ON_MOTIF if labels["switch"] else OFF_MOTIF
        assert found == {
            "tag": tag,
            "cue": CUE * N_SITES,
            "motif": motif * N_SITES,
            "tail": TAIL if labels["tail"] else "",
            "word": WORD if labels["word"] else "",
        }
        assert protein.sequence.count(CUE + motif) >= N_SITES
        assert np.sum(list(protein.parts.values()), axis=0).max() == 1  # no part covers another
        assert protein.motif_of(protein.with_tag("AAAAA")) == motif * N_SITES
        assert "AAAAA" in protein.with_tag("AAAAA")[:13]


def test_the_tail_follows_the_switch_and_the_word_does_not():
    labels = {name: np.array([p.labels[name] for p in PROTEINS]) for name in PROTEINS[0].labels}
    on, n = labels["switch"], len(PROTEINS)
    for wanted, found in {
        0.5: on,
        CONFOUNDED: labels["tail"][on],
        1 - CONFOUNDED: labels["tail"][~on],
    }.items():
        assert abs(found.mean() - wanted) < 3 * np.sqrt(0.25 / (n / 2))
    assert abs(labels["word"][on].mean() - labels["word"][~on].mean()) < 4 * np.sqrt(0.5 / n)
    assert not labels["rare_tag"][~on].any()
    assert labels["rare_tag"][on].any()


def test_draws_are_repeated_and_splits_differ():
    assert [p.sequence for p in draw("train", 5, 0)] == [p.sequence for p in PROTEINS[:5]]
    table = table_of({"train": draw("a", 2, 0), "test": draw("b", 1, 0)})
    assert table["split"].tolist() == ["train", "train", "test"]
    assert table["sequence"].is_unique
