"""Letters to codes."""

import numpy as np

from protsae.core.letters import AMINO_ACIDS, character_codes, code_table


def test_codes_are_one_per_letter_also_outside_latin_1():
    assert character_codes("AZé→").tolist() == [65, 90, 233, ord("?")]
    assert character_codes("").shape == (0,)


def test_table_numbers_letters_and_maps_all_others_to_one_code():
    table = code_table(AMINO_ACIDS, other=20)
    assert table[character_codes("ACYX?")].tolist() == [0, 1, 19, 20, 20]
    assert table.shape == (256,)
    assert table.dtype == np.int64


def test_a_group_of_letters_shares_a_number():
    assert code_table(("LVIM", "C"), other=-1)[character_codes("MILVCA")].tolist() == [0, 0, 0, 0, 1, -1]
