import pytest
import torch

from wetware.cell.protein_language_model import embed_proteins, embed_sequence, esm2, read_fasta, windows
from wetware.data.files import DataError


def fake(residues):
    """Each residue is its letter's number, and the marks are far away: whoever counts them in notices."""
    inner = [float(ord(letter) - ord("A")) for letter in residues]
    return torch.tensor([1e6, *inner, -3e6])[:, None] * torch.tensor([1.0, 2.0])


def test_windows_do_not_overlap_and_lose_nothing():
    assert windows("ABCDEFG", 3) == ["ABC", "DEF", "G"]
    assert windows("ABC", 3) == ["ABC"]
    assert [len(piece) for piece in windows("M" * 2500)] == [1022, 1022, 456]


def test_the_mean_goes_over_residues_not_windows_and_leaves_marks_out():
    assert embed_sequence("BBBD", fake, window=3).tolist() == [1.5, 3.0]  # mean of windows would give 2, 4
    assert embed_sequence("BD", fake).tolist() == [2.0, 4.0]
    long = "B" * 1022 + "D" * 478
    assert embed_sequence(long, fake)[0] == pytest.approx((1022 + 3 * 478) / 1500)


def test_a_model_without_marks_is_refused():
    with pytest.raises(DataError, match="2 vectors for 2 residues"):
        embed_sequence("BD", lambda residues: fake(residues)[1:-1])


FASTA = """\
>tr|A0A1|A0A1_HUMAN Something OS=Homo sapiens OX=9606 GN=TP53 PE=1 SV=1
AAAA
>sp|P04637|P53_HUMAN Cellular tumor antigen p53 OS=Homo sapiens OX=9606 GN=TP53 PE=1 SV=4
BB
dd
>sp|P04637-2|P53_HUMAN Isoform 2 of Cellular tumor antigen p53 OS=Homo sapiens OX=9606 GN=TP53
CCCC
>sp|P02340|P53_MOUSE Cellular tumor antigen p53 OS=Mus musculus OX=10090 GN=Trp53 PE=1 SV=4
CCCC
>PLAIN some words
CC*
>sp|P00001|NONE_HUMAN Nameless OS=Homo sapiens OX=9606 PE=1 SV=1
CCCC
"""


def test_fasta(tmp_path):
    path = tmp_path / "a.fasta"
    path.write_text(FASTA)
    assert read_fasta(path) == {"TP53": "BBDD", "PLAIN": "CC"}
    heard = []
    made = embed_proteins(read_fasta(path), fake, "fake", progress=lambda share, text: heard.append(share))
    assert (made.genes, made.source) == (("TP53", "PLAIN"), "fake")
    assert made.vectors[:, 0].tolist() == [2.0, 2.0]
    assert heard == pytest.approx([4 / 6, 1.0])
    (tmp_path / "b.fasta").write_text("no protein here")
    with pytest.raises(DataError, match="holds no human protein"):
        read_fasta(tmp_path / "b.fasta")
    with pytest.raises(DataError, match="no such FASTA"):
        read_fasta(tmp_path / "c.fasta")


def test_without_transformers_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(DataError, match=r"wetware\[esm\]"):
        esm2()


def test_a_real_esm_of_random_weights(tmp_path):
    """The true classes, a tiny model made here: as many vectors as residues and two marks, and padding-free windows."""
    transformers = pytest.importorskip("transformers")
    letters = ["<cls>", "<pad>", "<eos>", "<unk>", *"LAGVSERTIDPKQNFYMHWCXBUZO.-", "<null_1>", "<mask>"]
    (tmp_path / "vocab.txt").write_text("\n".join(letters))
    transformers.EsmTokenizer(str(tmp_path / "vocab.txt")).save_pretrained(tmp_path)
    size = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    config = transformers.EsmConfig(vocab_size=len(letters), pad_token_id=1, mask_token_id=32, **size)
    transformers.EsmModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    assert esm2(str(tmp_path))("MKTAY").shape == (7, 8)
    with pytest.raises(DataError, match="no ESM2 model"):
        esm2(str(tmp_path / "nothing"))
