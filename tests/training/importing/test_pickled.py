"""What is read from a .pth file is never run."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from wetware.training import CheckpointError
from wetware.training.importing import read_pickled


class Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_code_is_refused_and_not_run(written, tmp_path):
    path = written({"config": {}, "model_state_dict": Malicious(tmp_path / "run")})
    with pytest.raises(CheckpointError, match=r"mkdir, which is code") as refused:
        read_pickled(path)
    assert "weights_only" not in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_code_inside_an_array_of_objects_is_refused(written, tmp_path):
    array = np.empty(1, dtype=object)
    array[0] = Malicious(tmp_path / "run")
    with pytest.raises(CheckpointError):
        read_pickled(written({"P": array}))
    assert not (tmp_path / "run").exists()


def test_arrays_and_numbers_of_numpy_are_read(written):
    data = {"P": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.float64(0.5), "t": torch.ones(2)}
    found = read_pickled(written(data))
    assert np.array_equal(found["P"], data["P"])
    assert found["n"] == 0.5


def test_missing_folders_and_rubbish(tmp_path):
    (tmp_path / "rubbish.pth").write_bytes(b"no file of PyTorch's")
    (tmp_path / "empty.pth").write_bytes(b"")
    with pytest.raises(CheckpointError, match="no such file"):
        read_pickled(tmp_path / "nothing.pth")
    with pytest.raises(CheckpointError, match="folder"):
        read_pickled(tmp_path)
    for name in ("rubbish.pth", "empty.pth"):
        with pytest.raises(CheckpointError):
            read_pickled(tmp_path / name)
