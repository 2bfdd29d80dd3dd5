import pytest
import torch

from wetware.cell import PROGRAMS, ControlSets, overlaps, program_scores, programs, score_matrix
from wetware.cell.programs import members, parse_program
from wetware.data.files import DataError

A = parse_program("# a\n# meaning: one\n# source: two\n# more of two\n\n# part\nG1 G2=OLD2\nG3\n")
B = parse_program("# b\n\nG3 G4\n")


def test_a_program_is_read_with_its_header():
    assert A == ("a", ("G1", "G2", "G3"), {"G2": "OLD2"}, "one", "two more of two")
    with pytest.raises(DataError, match="'a' lists G1 twice"):
        parse_program("# a\nG1 G2 G1")
    with pytest.raises(DataError, match="has no genes"):
        parse_program("# a\n")


def test_the_six_programs():
    assert tuple(program.name for program in programs()) == PROGRAMS
    sizes = {program.name: len(program.genes) for program in programs()}
    assert sizes["cell_division"] == 43 + 54  # Tirosh et al., 2016
    assert all(size == len(set(p.genes)) >= 40 for p, size in zip(programs(), sizes.values(), strict=True))
    assert all(program.meaning and program.source for program in programs())
    # renamed symbols are renamed, and false aliases of valid symbols are not followed
    division = programs()[0]
    assert {"CENPU", "PIMREG", "JPT1", "MCM2", "RPA2", "BRIP1"} <= set(division.genes)
    assert not {"MLF1IP", "FAM64A", "HN1", "POLR1B", "MRPL36"} & set(division.genes)


def test_overlaps():
    assert torch.allclose(overlaps((A, B)), torch.tensor([[1.0, 0.25], [0.25, 1.0]]))
    six = overlaps()
    assert torch.equal(six, six.T)
    assert torch.equal(six.diagonal(), torch.ones(6))
    assert six[1, 2] == pytest.approx(1 / 103)  # THY1 alone, of 60 + 44 - 1
    assert six[0, 1] == 0


def test_score_matrix_by_hand():
    genes = ("G4", "X", "OLD2", "G1")
    matrix = score_matrix(genes, of=(A, B))
    assert torch.equal(matrix, torch.tensor([[0.0, 0.0, 0.5, 0.5], [1.0, 0.0, 0.0, 0.0]]))
    assert members(("OLD2", "G2"), (A,)) == [[1]]  # the present symbol goes before the former
    with pytest.raises(DataError, match=r"no gene of any program is among 2 genes \(ENSG1"):
        score_matrix(("ENSG1", "ENSG2"), of=(A, B))


def test_a_program_without_genes_scores_nothing():
    matrix = score_matrix(("G1",), of=(A, B))
    assert torch.equal(matrix, torch.tensor([[1.0], [0.0]]))


def test_scores_leave_the_own_target_out():
    matrix = score_matrix(("G1", "G2", "G3", "G4"), of=(A, B))
    delta = torch.tensor([[-3.0, 0.6, 0.3, 0.0], [0.3, 0.3, 0.3, 1.0]])
    plain = program_scores(delta, matrix)
    assert torch.allclose(plain, torch.tensor([[-0.7, 0.15], [0.3, 0.65]]))
    masked = program_scores(delta, matrix, torch.tensor([0, -1]))
    assert torch.allclose(masked, torch.tensor([[0.3, 0.15], [0.3, 0.65]]))


def test_control_sets_take_away_what_all_genes_of_like_expression_do():
    names = ("G1", "G2", *(f"X{index}" for index in range(98)))
    expression = torch.linspace(0, 5, 100)
    matrix = score_matrix(names, expression, ControlSets(bins=4, size=10), of=(A,))
    low = torch.zeros(100)
    low[:25] = 1.0  # everything weakly expressed rises, the program's genes among it
    assert matrix[0] @ low == pytest.approx(0.0, abs=1e-6)
    assert (matrix < 0).sum() >= 10
    assert (matrix[0, 25:] == 0).all()  # controls are of the same bin
    raised = torch.zeros(100)
    raised[:2] = 1.0
    assert matrix[0] @ raised == pytest.approx(1.0)
    again = score_matrix(names, expression, ControlSets(bins=4, size=10), of=(A,))
    assert torch.equal(matrix, again)
    with pytest.raises(DataError, match="mean expression"):
        score_matrix(names, correction=ControlSets(), of=(A,))
