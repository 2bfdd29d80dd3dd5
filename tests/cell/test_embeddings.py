import numpy as np
import pytest
import torch

from wetware.cell import GeneEmbeddings, load_embeddings, save_embeddings
from wetware.data.files import DataError

MADE = GeneEmbeddings(("A", "B"), torch.tensor([[1.0, 2.0], [3.0, 6.0]]), "a test")


def test_missing_genes_have_the_mean_and_are_flagged():
    vectors, missing = MADE.lookup(("B", "C"))
    assert vectors.tolist() == [[3.0, 6.0], [2.0, 4.0]]
    assert missing == (False, True)
    assert MADE.lookup(()).vectors.shape == (0, 2)


@pytest.mark.parametrize("ending", ["npz", "safetensors"])
def test_round_trip(ending, tmp_path):
    path = tmp_path / f"e.{ending}"
    save_embeddings(MADE, path)
    back = load_embeddings(path)
    assert (back.genes, back.source) == (MADE.genes, MADE.source)
    assert torch.equal(back.vectors, MADE.vectors)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match="damaged"):
        load_embeddings(path)


def test_wrong_files_are_named(tmp_path):
    with pytest.raises(DataError, match="no such file of embeddings: 'nothing.npz'"):
        load_embeddings("nothing.npz")
    np.savez(tmp_path / "a.npz", vectors=np.ones((2, 2)))
    with pytest.raises(DataError, match="does not say its embeddings"):
        load_embeddings(tmp_path / "a.npz")
    np.savez(tmp_path / "b.npz", genes=np.array(["A"]), embeddings=np.ones((2, 2)))
    with pytest.raises(DataError, match=r"shape \(2, 2\) for 1 genes"):
        load_embeddings(tmp_path / "b.npz")
    np.savez(tmp_path / "c.npz", genes=np.array(["A", "A"]), embeddings=np.ones((2, 2)))
    with pytest.raises(DataError, match="two embeddings"):
        load_embeddings(tmp_path / "c.npz")
    with pytest.raises(DataError, match=r"allowed endings .npz, .safetensors"):
        save_embeddings(MADE, tmp_path / "d.csv")
