import numpy as np
import pytest
import torch

from wetware.cell import H5AD, PROGRAMS, Preparation, prepare, score_matrix, write_h5ad
from wetware.cell.expression import normalised
from wetware.data.files import DataError

anndata = pytest.importorskip("anndata")


@pytest.fixture(scope="module")
def file(small_screen, tmp_path_factory):
    path = tmp_path_factory.mktemp("h5ad") / "screen.h5ad"
    write_h5ad(small_screen, path)
    return path


def test_reading_in_blocks_is_reading_whole(small_screen, file):
    config = Preparation(variable_genes=20, block=50)
    read = H5AD(path=str(file)).build()
    assert (read.genes, read.source, read.cells) == (small_screen.genes, "synthetic", small_screen.cells)
    from_file, from_memory = prepare(read, config), prepare(small_screen, config)
    assert from_file.targets == from_memory.targets
    assert torch.equal(from_file.delta, from_memory.delta)
    assert torch.equal(from_file.control, from_memory.control)


def test_no_block_is_larger_than_asked_for(file, monkeypatch):
    """However large the file, only a block of its counts is in memory."""
    read, rows = H5AD(path=str(file)).build(), []
    blocks = read.blocks

    def watched(size):
        for start, block in blocks(size):
            rows.append(block.shape[0])
            yield start, block

    monkeypatch.setattr(read, "blocks", watched)
    prepare(read, Preparation(block=64))
    assert max(rows) == 64
    assert sum(rows) == 2 * read.cells  # two passes


def test_dense_counts_other_columns_and_layers(small_screen, file, tmp_path):
    data = anndata.read_h5ad(file)
    data.obs["guide"], data.obs["plate"] = data.obs["target_gene"], data.obs["batch"]
    data.var["symbol"] = data.var.index
    data.var.index = [f"ENSG{index}" for index in range(data.n_vars)]
    data.layers["counts"] = data.X.toarray()
    data.X = np.log1p(data.X.toarray())
    del data.obs["target_gene"], data.obs["batch"], data.uns["wetware_source"]
    path = str(tmp_path / "other.h5ad")
    data.write_h5ad(path)
    read = H5AD(path=path, target="guide", batch="plate", gene="symbol", layer="counts").build()
    assert read.source == "real"  # a file that does not say it was simulated
    made = prepare(read, Preparation(variable_genes=20))
    assert torch.allclose(made.delta, prepare(small_screen, Preparation(variable_genes=20)).delta, atol=1e-6)
    with pytest.raises(DataError, match="log-transformed"):
        prepare(H5AD(path=path, target="guide", batch="plate", gene="symbol").build(), Preparation())
    with pytest.raises(DataError, match="no layer 'count'; did you mean 'counts'"):
        H5AD(path=path, target="guide", layer="count", batch=None).build()
    assert set(H5AD(path=path, target="guide", batch=None).build().batches) == {"all"}


def test_bad_files_are_named(file, tmp_path):
    with pytest.raises(DataError, match="no such .h5ad file: 'nothing.h5ad'"):
        H5AD(path="nothing.h5ad").build()
    with pytest.raises(DataError, match="no column 'target_gen'; did you mean 'target_gene'"):
        H5AD(path=str(file), target="target_gen").build()
    with pytest.raises(DataError, match="no cell has the control label 'nontargeting'; did you mean 'non-targeting'"):
        H5AD(path=str(file), control="nontargeting").build()
    broken = tmp_path / "broken.h5ad"
    broken.write_bytes(file.read_bytes()[:500])
    with pytest.raises(DataError, match="damaged"):
        H5AD(path=str(broken)).build()
    data = anndata.read_h5ad(file)
    data.X = data.X.tocsc()
    data.write_h5ad(tmp_path / "columns.h5ad")
    with pytest.raises(DataError, match="kept by gene"):
        H5AD(path=str(tmp_path / "columns.h5ad")).build()


@pytest.fixture(scope="module")
def blood(tmp_path_factory):
    """700 blood cells (Zheng et al., 2017), 765 genes. No screen: clusters stand in for targets, odd cells for a batch."""
    scanpy = pytest.importorskip("scanpy")
    data = scanpy.datasets.pbmc68k_reduced()
    raw = data.raw.to_adata()
    counts = raw.X.copy()
    counts.data = np.expm1(counts.data)
    made = anndata.AnnData(counts, obs=data.obs[["louvain", "phase"]].copy(), var=raw.var[[]])
    made.obs["half"] = np.where(np.arange(made.n_obs) % 2, "odd", "even")
    path = tmp_path_factory.mktemp("blood") / "blood.h5ad"
    made.write_h5ad(path)
    return path, made


def test_real_cells_are_read_and_compared(blood):
    path, data = blood
    read = H5AD(path=str(path), target="louvain", batch="half", control="0").build()
    made = prepare(read, Preparation(variable_genes=100, min_counts=1.0, shrinkage=0.0, block=128))
    assert made.source == "real"
    assert set(made.targets) == set(data.obs["louvain"]) - {"0"}
    logs = np.log1p(data.X.toarray() / data.X.toarray().sum(1, keepdims=True) * 1e4)[
        :, [*map(read.genes.index, made.genes)]
    ]
    cluster, half = data.obs["louvain"].to_numpy(), data.obs["half"].to_numpy()
    expected = np.zeros(len(made.genes))
    for side in ("odd", "even"):
        inside = (cluster == "1") & (half == side)
        expected += inside.sum() * (logs[inside].mean(0) - logs[(cluster == "0") & (half == side)].mean(0))
    expected /= (cluster == "1").sum()
    assert np.allclose(made.delta[made.targets.index("1")].numpy(), expected, atol=1e-5)


def test_dividing_cells_score_as_dividing(blood):
    """scanpy's own phases, from the same genes by its own method: cells in G2/M and S score above those in G1."""
    _, data = blood
    scaled, _ = normalised(data.X.astype(np.float64), Preparation(min_counts=1.0))
    names = list(data.var_names)
    matrix = score_matrix(names)
    found = {name: {names[j] for j in row.nonzero()[:, 0]} for name, row in zip(PROGRAMS, matrix, strict=True)}
    assert found["cell_division"] == {"HMGB2", "PCNA"}  # two of 97: the data has 765 genes
    assert {"ATP5B", "ATP5O", "LDHA"} <= found["metabolism"]  # by the symbols of their time
    assert not found["pluripotency"]
    scores = torch.from_numpy(scaled.log1p().toarray()).float() @ matrix[0]
    phase = data.obs["phase"].to_numpy()
    assert scores[phase == "G2M"].mean() > 3 * scores[phase == "G1"].mean()
    assert scores[phase == "S"].mean() > 1.5 * scores[phase == "G1"].mean()
