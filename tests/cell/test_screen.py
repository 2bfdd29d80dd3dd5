import numpy as np
import pytest

from wetware.cell import ArrayScreen
from wetware.data.files import DataError


def screen(counts, targets=("non-targeting", "A"), genes=("G1", "G2"), **more):
    return ArrayScreen(np.array(counts, dtype=float), genes, targets, ["1"] * len(targets), "real", **more)


def test_labels_must_make_a_screen():
    counts = [[1, 2], [3, 4]]
    with pytest.raises(DataError, match="no cell has the control label 'NT'; targets: A, non-targeting"):
        screen(counts, control="NT")
    with pytest.raises(DataError, match="every cell is"):
        screen(counts, targets=["non-targeting"] * 2)
    with pytest.raises(DataError, match="occur more than once, 'G1'"):
        screen(counts, genes=("G1", "G1"))
    with pytest.raises(DataError, match=r"shape \(2, 2\) for 2 cells and 3 genes"):
        screen(counts, genes=("G1", "G2", "G3"))
    with pytest.raises(DataError, match="source 'reel' is unknown; did you mean 'real'"):
        ArrayScreen(np.ones((2, 1)), ("G",), ("non-targeting", "A"), ("1", "1"), "reel")


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1.0, -0.5], [0, 0]], "a count is -0.5: raw counts"),
        ([[1.0, np.nan], [0, 0]], "not finite"),
        ([[0.7, 1.9], [2.3, 0.1]], "looks like log-transformed"),
    ],
)
def test_what_cannot_be_counts_is_refused(counts, message):
    with pytest.raises(DataError, match=message):
        list(screen(counts).checked_blocks(10))


def test_blocks_cover_every_cell_in_order():
    whole = screen([[1, 2], [3, 4], [5, 6]], targets=("non-targeting", "A", "B"))
    blocks = list(whole.checked_blocks(2))
    assert [start for start, _ in blocks] == [0, 2]
    assert np.concatenate([block.toarray() for _, block in blocks]).tolist() == [[1, 2], [3, 4], [5, 6]]
