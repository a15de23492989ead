"""Places of keys against a dictionary."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from nahas.kernels.memo import find_rows

batches = st.lists(st.lists(st.integers(0, 40) | st.integers(0, 2**62), max_size=8), max_size=4)


def test_every_key_keeps_the_row_that_it_got_first(run):
    @given(batches, st.sampled_from([33, 64]))
    def check(batches, size):
        places, rows_of = np.full((2, size), -1), {}
        for batch in batches:
            keys = np.array(batch, np.int64)
            rows, fresh = np.empty_like(keys), np.empty_like(keys)
            known = len(rows_of)
            count = run(find_rows, keys, places, known, rows, fresh)
            new = [i for i, key in enumerate(batch) if key not in rows_of and key not in batch[:i]]
            for key in batch:
                rows_of.setdefault(key, len(rows_of))
            assert count == len(rows_of) - known
            assert fresh[:count].tolist() == new
            assert rows.tolist() == [rows_of[key] for key in batch]

    check()
