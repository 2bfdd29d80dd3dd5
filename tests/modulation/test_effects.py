import time

import pytest
import torch

from wetware.cell import save_effects
from wetware.config import ConfigError
from wetware.modulation import PROGRAMS, Effects, packaged_effects, program_matrix, read_effects
from wetware.modulation.effects import assign, standardised

SMALL = Effects(("A", "B", "C"), ("p", "q"), torch.tensor([[1.0, 0.0], [2.0, 0.0], [3.0, 6.0]]), "real")


def test_every_gene_is_used_as_often_as_any_other():
    places = assign(pool=7, size=24, draws=3)
    for row in places:
        assert row.bincount(minlength=7).tolist().count(3) == 4  # 24 = 7 * 3 + 3
        assert row.bincount().max() == 4
    assert not torch.equal(places[0], places[1])
    assert torch.equal(assign(7, 24, 1), places[:1])  # a draw does not depend on how many there are
    assert not torch.equal(assign(7, 24, 3, seed=1), places)


def test_standardised_by_hand():
    made = standardised(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))
    assert made.tolist() == [[-1.0, 0.0], [1.0, 0.0]]
    outlier = torch.zeros(100, 1)
    outlier[0] = 1.0
    assert standardised(outlier)[0] == 3.0  # 9.9 deviations, clipped


def test_the_matrix_by_hand():
    made = program_matrix(3, draws=2, seed=5, effects=SMALL)
    assert made.matrix.shape == (3, 4)
    assert (made.programs, made.draws, made.source) == (("p", "q"), 2, "real")
    low, high = (1 - 2) / (2 / 3) ** 0.5, (3 - 2) / (2 / 3) ** 0.5
    p = {"A": low, "B": 0.0, "C": high}
    q = {"A": -(0.5**0.5), "B": -(0.5**0.5), "C": 2**0.5}
    for draw, genes in enumerate(made.genes):
        for neuron, gene in enumerate(genes):
            assert made.matrix[neuron, 2 * draw : 2 * draw + 2].tolist() == pytest.approx([p[gene], q[gene]])
    assert made.dominant().tolist() == made.matrix.view(3, 2, 2).mean(1).argmax(1).tolist()


def test_round_trip(tmp_path):
    save_effects(SMALL, tmp_path / "e.safetensors")
    again = read_effects(tmp_path / "e.safetensors")
    assert torch.equal(again.scores, SMALL.scores)
    assert (again.genes, again.programs, again.source) == (SMALL.genes, SMALL.programs, "real")


def test_no_file_of_effects(tmp_path):
    with pytest.raises(ConfigError, match="no such file of effects"):
        read_effects(tmp_path / "nothing")
    (tmp_path / "text").write_text("hello")
    with pytest.raises(ConfigError, match="is no file of effects"):
        read_effects(tmp_path / "text")
    save_effects(SMALL._replace(scores=torch.full((3, 2), torch.nan)), tmp_path / "nan")
    with pytest.raises(ConfigError, match="damaged"):
        read_effects(tmp_path / "nan")


def test_what_comes_with_wetware():
    effects = packaged_effects()
    assert effects.source == "synthetic"
    assert effects.programs == PROGRAMS
    assert len(effects.genes) == 300
    program_matrix(512)
    begin = time.perf_counter()
    made = program_matrix(size=512)
    assert time.perf_counter() - begin < 1.0  # some milliseconds; a second leaves room for a busy machine
    assert made.matrix.shape == (512, 18)
    assert made.matrix.dtype == torch.float32
    assert made.matrix.abs().max() <= 3.0
    assert torch.allclose(made.matrix.mean(0), torch.zeros(18), atol=0.05)
    assert torch.equal(program_matrix(512).matrix, made.matrix)
    assert not torch.equal(program_matrix(512, seed=1).matrix, made.matrix)
    assert torch.linalg.matrix_rank(made.matrix) == 18


def test_wrong_requests_are_refused():
    with pytest.raises(ConfigError, match="size = 0: allowed 1 or more"):
        program_matrix(0)
    with pytest.raises(ConfigError, match="draws = 0"):
        program_matrix(8, draws=0)
    with pytest.raises(ConfigError, match="the same for every gene"):
        program_matrix(8, effects=SMALL._replace(scores=torch.zeros(3, 2)))
