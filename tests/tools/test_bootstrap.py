"""The set-up script, with every step of venv and pip replaced by a note of it."""

import ast
import importlib.util
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "tools" / "bootstrap.py"


@pytest.fixture
def bootstrap():
    spec = importlib.util.spec_from_file_location("bootstrap", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.delenv("WETWARE_TORCH_INDEX", raising=False)
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "x"\noptional-dependencies = { dev = [], hf = [] }\n')
    (tmp_path / "constraints.txt").write_text("torch==1\n")
    return tmp_path


@pytest.fixture
def steps(bootstrap, root, monkeypatch):
    """The commands of the steps that were taken; the environment they make has this Python."""
    taken = []

    def take(root, what, command):
        taken.append(" ".join(map(str, command)))
        if "-m venv" in taken[-1]:
            make_python(bootstrap, root)

    monkeypatch.setattr(bootstrap, "run_step", take)
    return taken


def make_python(bootstrap, root):
    python = root / ".venv" / bootstrap.BIN / bootstrap.EXE
    python.parent.mkdir(parents=True)
    try:
        os.symlink(sys.executable, python)
    except OSError:
        pytest.skip("no symbolic links here, so no stand-in for an environment")
    (root / ".venv" / "pyvenv.cfg").write_text(f"command = python -m venv {root / '.venv'}\n")


def stamp(root):
    return root / ".venv" / "bootstrap.stamp"


def break_next(bootstrap, monkeypatch, error):
    """Let the installation of the project raise this."""
    whole = bootstrap.run_step

    def broken(root, what, command):
        if "--editable" in command:
            raise error
        whole(root, what, command)

    monkeypatch.setattr(bootstrap, "run_step", broken)


def test_the_second_run_takes_no_step(bootstrap, root, steps):
    assert bootstrap.main(["--extras", "dev"], root) == 0
    assert [step for step in steps if f"{root}[dev]" in step]
    count = len(steps)
    assert bootstrap.main(["--extras", "dev"], root) == 0
    assert bootstrap.main([], root) == 0, "fewer extras need nothing new"
    assert len(steps) == count


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_a_changed_input_counts(bootstrap, root, steps, name):
    bootstrap.main([], root)
    before, taken = json.loads(stamp(root).read_text()), len(steps)
    with open(root / name, "a") as file:
        file.write("# changed\n")
    assert not bootstrap.is_ready(root, set())
    bootstrap.main([], root)
    assert json.loads(stamp(root).read_text())["hash"] != before["hash"]
    assert len(steps) > taken


def test_another_python_counts(bootstrap, root, monkeypatch):
    before = bootstrap.fingerprint(root)
    monkeypatch.setattr(sys, "version_info", (3, 99, 0))
    assert bootstrap.fingerprint(root) != before


def test_extras_add_up(bootstrap, root, steps):
    bootstrap.main(["--extras", "dev"], root)
    bootstrap.main(["--extras", "hf"], root)
    assert json.loads(stamp(root).read_text())["extras"] == ["dev", "hf"]
    assert f"{root}[dev,hf]" in " ".join(steps)


def test_an_unknown_extra_is_named(bootstrap, root, steps, capsys):
    assert bootstrap.main(["--extras", "dev,gpu"], root) == 1
    assert "'gpu'; allowed: dev, hf" in capsys.readouterr().err
    assert not steps


def test_torch_alone_comes_from_its_index(bootstrap, root, steps):
    bootstrap.main(["--torch-index", "https://example.test/cpu"], root)
    (step,) = [step for step in steps if "example.test" in step]
    assert step.endswith("--no-deps --index-url https://example.test/cpu torch")


@pytest.mark.parametrize("error", [KeyboardInterrupt(), OSError("disk full")])
def test_a_run_that_is_cut_off_leaves_no_stamp(bootstrap, root, steps, monkeypatch, error):
    bootstrap.main([], root)
    (root / "constraints.txt").write_text("torch==2\n")
    with monkeypatch.context() as patch:
        break_next(bootstrap, patch, error)
        assert bootstrap.main([], root) in (1, 130)
    assert not stamp(root).exists()
    assert bootstrap.why_new_venv(root) == "the last set-up was cut off"
    bootstrap.main([], root)
    assert bootstrap.is_ready(root, set())
    assert sum("-m venv" in step for step in steps) == 2, "what was cut off is made anew"


def test_a_failing_pip_leaves_no_stamp_but_a_usable_venv(bootstrap, root, steps, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        break_next(bootstrap, patch, bootstrap.SetupError("no such release"))
        assert bootstrap.main([], root) == 1
    assert "no such release" in capsys.readouterr().err
    assert not stamp(root).exists()
    bootstrap.main([], root)
    assert bootstrap.is_ready(root, set())
    assert sum("-m venv" in step for step in steps) == 1


def test_a_failing_step_shows_the_end_of_its_log(bootstrap, root, capsys):
    (root / ".venv").mkdir()
    with pytest.raises(bootstrap.SetupError, match=r"(?s)exit 3.*bootstrap\.log.*went wrong"):
        bootstrap.run_step(root, "this", [sys.executable, "-S", "-c", "print('went wrong'); raise SystemExit(3)"])


@pytest.mark.parametrize("text", ["", "{}", "[1]", '{"hash": "x", "ex'])
def test_a_damaged_stamp_is_no_stamp(bootstrap, root, text):
    (root / ".venv").mkdir()
    stamp(root).write_text(text)
    assert bootstrap.read_stamp(root) == ("", set())


def test_a_venv_of_another_folder_is_made_anew(bootstrap, root, steps):
    bootstrap.main([], root)
    (root / ".venv" / "pyvenv.cfg").write_text("command = python -m venv /elsewhere/.venv\n")
    assert bootstrap.why_new_venv(root) == "it was made for another folder"


def test_a_second_run_waits_for_the_first(bootstrap, root, steps, monkeypatch, capsys):
    monkeypatch.setattr(bootstrap.time, "sleep", lambda seconds: holder.close())
    holder = open(root / ".bootstrap.lock", "a")  # noqa: SIM115 - closed by the wait above
    assert bootstrap.try_lock(holder)
    thread = threading.Thread(target=bootstrap.main, args=([], root))
    thread.start()
    thread.join(10)
    assert "waiting" in capsys.readouterr().err
    assert bootstrap.is_ready(root, set())


def test_the_command_runs_in_the_venv_and_its_exit_code_comes_back(bootstrap, root, steps):
    bootstrap.main([], root)
    show = "import os; print(os.environ['VIRTUAL_ENV'], os.environ['PATH'].split(os.pathsep)[0]); raise SystemExit(7)"
    code = f"import sys; sys.path.insert(0, {str(SCRIPT.parent)!r}); import bootstrap, pathlib\n"
    code += f"bootstrap.main(['--', 'python', '-S', '-c', {show!r}], pathlib.Path({str(root)!r}))"
    done = subprocess.run([sys.executable, "-S", "-B", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (7, "")
    assert done.stdout.split() == [str(root / ".venv"), str(root / ".venv" / bootstrap.BIN)]


def test_an_unknown_command_is_named(bootstrap, root, steps, capsys):
    assert bootstrap.main(["--", "no-such-command"], root) == 1
    assert "'no-such-command'" in capsys.readouterr().err


def test_an_old_python_is_told_what_to_do(bootstrap):
    assert bootstrap.too_old((3, 11, 0)) == ""
    message = bootstrap.too_old((3, 8, 10))
    assert "\n" not in message
    for part in ("3.11", "3.8.10", sys.executable, "make PYTHON=python3.11"):
        assert part in message


def test_an_old_python_can_parse_the_script():
    ast.parse(SCRIPT.read_text("utf-8"), feature_version=(3, 8))
