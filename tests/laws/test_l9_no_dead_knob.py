"""L9: every field of every config, moved, changes the training loss or the state of a small model, or is named in a short
list of purely operational fields."""

import functools
import json
import math
import sys
import tempfile
import types
from dataclasses import fields, replace
from pathlib import Path

import pytest
import torch

import wetware
from wetware.config import Config, ablate, get, hints, is_config_type, mechanisms, options, walk, with_
from wetware.data import (
    AssociativeRecall,
    Bytes,
    Clauses,
    Conversations,
    Copying,
    Corpus,
    Cut,
    HubDataset,
    Instructions,
    Mixture,
    Needle,
    Part,
    Sentences,
    Sotu,
    Stories,
    Sums,
    TemplateConversations,
    TextFiles,
    TokenizerConfig,
    VariableBinding,
    Words,
)
from wetware.models.generation import Sampling
from wetware.plasticity import Between
from wetware.state import leaves
from wetware.training import (
    AfterMark,
    AtCap,
    Calibration,
    Converged,
    Curriculum,
    Monitoring,
    Phase,
    Replay,
    Rewarm,
    Run,
    ShareCap,
    Steps,
    TokenCap,
    Trainer,
    Training,
)

from .subjects import STRESSED, additions, alternatives, models, registered, tokens, with_vocab

# Watching, pausing and saving: none of these may move a weight, and test_operational_fields_move_nothing says so.
OPERATIONAL = tuple(f"monitoring.{field.name}" for field in fields(Monitoring))
# Where the numbers come from the tokenizer, a run overwrites them; as fields of a model they are checked on the model.
FROM_TOKENIZER = ("model.vocab_size", "model.boundary")
TEXT = "the people of the union and the laws of the people; a house, a law, a people. "


@functools.cache
def trained(config: Config, steps: int = 4) -> tuple:
    """The losses of some stressed training steps of a model, its rules followed between them, and the state they leave.

    Not its parameters: a field that only sized or drew a parameter nobody uses must not pass.
    """
    model = config.build(seed=0)
    state, losses = None, []
    optimizer, rules = torch.optim.SGD(model.parameters(), lr=0.05), model.rules()
    for step in range(steps):
        text = tokens(config, batch=2, steps=25, seed=step) % min(config.vocab_size, 60)
        output = model(text[:, :-1], state, signals=STRESSED)
        state = wetware.state.detach(output.state)
        loss = wetware.training.cross_entropy(output.logits, text[:, 1:]) + sum(output.losses.values())
        loss.backward()
        optimizer.step()
        for path, rule in rules.items():
            evidence = ((1.0, output.evidence[path]),) if path in output.evidence else ()
            rule.apply(Between(step + 1, 0, evidence, lambda parameter: {}))
        optimizer.zero_grad()
        losses.append(loss.item())
    return (*losses, *(tensor.double().sum().item() for _, tensor in leaves(state)))


def long(path: str) -> int:
    """How many steps a field has to show itself. Of experts that are born and die, most is told by how long they live; when
    homeostasis ends, by what comes after."""
    return 80 if ".lifecycle" in path else 8 if ".homeostasis" in path else 4


def focused(config: Config, path: str) -> Config:
    """A bio-nanochat without the mechanisms that the path has nothing to do with: it has so many that a step with all of them,
    for each field of each of them, would take longer than all other laws."""
    if not isinstance(config, wetware.BioNanochat):
        return config

    def part(path: str) -> tuple[str, ...]:
        names = path.split(".")
        return tuple(names[: 2 if names[0] in ("synapse", "neuromodulators") else 1])

    for other in mechanisms(config):
        if other in mechanisms(config) and part(other) != part(path):  # one may have gone with another
            config = ablate(config, other)
    return config


def moved(config: Config, path: str):
    """``config`` with the field at ``path`` set to another allowed value."""
    value = get(config, path)
    parent = path.rpartition(".")[0]
    owner = get(config, parent) if parent else config
    name = path.rpartition(".")[2]
    meta = next(field.metadata for field in fields(owner) if field.name == name)
    low, high = meta.get("low"), meta.get("high")
    kinds_of = options(hints(type(owner))[name])
    if isinstance(value, str):
        return with_(config, path, value + "e")
    if value is None:
        return replace_at(config, path, 3 if int in kinds_of else 1.5)
    if isinstance(value, int):
        for candidate in (value * 2, value + 1, value - 1, value // 2):
            if candidate != value and (low is None or candidate >= low) and (high is None or candidate <= high):
                return replace_at(config, path, candidate)
    candidate = value * 0.5 + 0.03
    if (
        (low is not None and candidate <= low)
        or (high is not None and candidate >= high)
        or math.isclose(candidate, value)
    ):
        candidate = (low + high) / 2
    return replace_at(config, path, candidate)


def replace_at(config, path, value):
    return with_(config, path, value)


def knobs(config: Config):
    """Paths of the plain fields (numbers, text) of a config and of all in it."""
    for path, annotation, value in walk(config):
        if not isinstance(value, (Config, tuple)) and not any(map(is_config_type, options(annotation))):
            yield path


def model_cases():
    cases, seen = [], set()
    for name, config in models():
        for label, variant in [
            (name, config),
            *((f"{name}-{p}={type(c).__name__}", with_(config, p, c)) for p, c in alternatives(config)),
            *((f"{name}-with-{p}", larger) for p, larger in additions(config)),
        ]:
            for path in knobs(variant):
                parent = path.rpartition(".")[0]
                owner = type(get(variant, parent) if parent else variant).__name__
                if (name, owner, path) not in seen:
                    seen.add((name, owner, path))
                    cases.append((f"{label}-{path}", variant, path))
    return cases


CASES = model_cases()


def heard_by_the_trainer(path: str) -> bool:
    """Whether a path leads into where a signal comes from: the trainer reads that, not the model; or into what it is when
    nobody tells it, as in the evaluation of a run. Of a neuromodulator that is all there is."""
    return ".stress" in path or ".inference" in path or path.startswith("neuromodulators.")


@pytest.mark.parametrize(("label", "config", "path"), CASES, ids=[case[0] for case in CASES])
def test_every_field_of_a_model_moves_something(label, config, path):
    config = focused(config, path)
    changed = moved(config, path)
    assert get(changed, path) != get(config, path)
    if heard_by_the_trainer(path):
        assert run_of(config) != run_of(changed)
    else:
        assert trained(config, long(path)) != trained(changed, long(path))


SLOTS = [
    (f"{name}-{path}={type(part).__name__}", config, path, part)
    for name, config in models()
    for path, part in alternatives(config)
]


@pytest.mark.parametrize(("label", "config", "path", "part"), SLOTS, ids=[case[0] for case in SLOTS])
def test_every_alternative_part_is_another_part(label, config, path, part):
    config = focused(config, path)
    changed = with_(config, path, part)
    if heard_by_the_trainer(path):
        assert run_of(config) != run_of(changed)
    else:
        assert trained(config, long(path)) != trained(changed, long(path))


# ------------------------------------------------------------------------------------------------------- the whole run


def base_run(folder, model=None) -> Run:
    text = folder / "text.txt"
    if not text.exists():
        text.write_text("".join(TEXT.replace("people", f"people{index % 7}") for index in range(120)))
    config = model or wetware.tiny("real_sam")
    monitoring = Monitoring(
        evaluate_every=2, evaluate_tokens=60, sample_every=2, sample_tokens=2, log_every=1, checkpoint_every=2
    )
    training = Training(
        batch=2, chunk=8, limit=Steps(count=4), calibration=Calibration(), schedule=wetware.Cosine(warmup=1)
    )
    corpus = TextFiles(path=str(text), held_out=0.2)
    return Run(model=config, corpus=corpus, tokenizer=Bytes(), training=training, monitoring=monitoring)


def outcome(run: Run, folder) -> tuple:
    """What a short run shows: the losses, signals and gradient norms of its steps, and how it stands at its end."""
    import shutil

    target = folder / "run"
    shutil.rmtree(target, ignore_errors=True)
    trainer = Trainer(run, target)
    reports = []
    trainer.reporter.step = lambda report, progress: reports.append((report.loss, report.signals, report.norm))
    trainer.fit()
    end = trainer.evaluate().nats
    return (*reports, trainer.step, {name: each.value for name, each in trainer.trackers.items()}, end)


@functools.cache
def run_of(model):
    """A run long enough for signals to differ, and for one that was drawn before to be drawn again."""
    with tempfile.TemporaryDirectory() as folder:
        run = base_run(Path(folder), with_vocab(model, 257, 0))
        return outcome(with_(run, "training.limit.count", 16), Path(folder))


RUNS = [
    ("default", Run()),
    ("muon", Run(training=Training(optimizer=wetware.MuonAdamW()))),
    ("stable", Run(training=Training(schedule=wetware.Stable()))),
    ("answers", Run(training=Training(counted=AfterMark(marks="p")))),
]
RUN_PATHS = [
    (label, path)
    for label, run in RUNS
    for path in knobs(run)
    if not path.startswith(("model.", "corpus.", "tokenizer.", "monitoring."))
    and (label == "default" or path.startswith(("training.optimizer.", "training.schedule.", "training.counted.")))
]


def test_the_list_of_run_fields_is_whole():
    """No field of a run escapes: model fields, run fields, and what the data tests cover."""
    covered = {path for label, path in RUN_PATHS if label == "default"}
    rest = set(knobs(Run())) - covered - set(OPERATIONAL)
    assert all(path.startswith(("model.", "corpus.", "tokenizer.")) for path in rest), rest


@pytest.mark.parametrize(("label", "path"), RUN_PATHS, ids=[f"{label}-{path}" for label, path in RUN_PATHS])
def test_every_field_of_a_run_moves_something(label, path, tmp_path):
    run = base_run(tmp_path)
    given = dict(RUNS)[label].training
    if label != "default":
        schedule = replace(given.schedule, warmup=1)
        training = replace(run.training, optimizer=given.optimizer, schedule=schedule, counted=given.counted)
        run = replace(run, training=training)
    if path == "training.limit.count":
        changed = with_(run, path, 3)
    elif path == "training.counted.mark":
        changed = with_(run, path, "e")
    elif path == "training.clip":
        changed = with_(run, path, 1e-3)
    elif path == "training.accumulate":
        changed = with_(
            run, path, 2
        )  # the same function of the text, summed in another order; the firing loss sees parts
    else:
        changed = moved(run, path)
    assert outcome(run, tmp_path) != outcome(changed, tmp_path)


def test_what_counts_moves_something(tmp_path):
    run = base_run(tmp_path)
    assert outcome(run, tmp_path) != outcome(with_(run, "training.counted", AfterMark(marks="p")), tmp_path)


@pytest.mark.parametrize("path", OPERATIONAL)
def test_operational_fields_move_nothing(path, tmp_path):
    run = base_run(tmp_path)
    assert outcome(run, tmp_path) == outcome(moved(run, path), tmp_path)


@pytest.mark.parametrize(("limit", "changed"), [("Tokens", 40), ("Minutes", None)])
def test_other_limits(limit, changed, tmp_path):
    """The length of a run in tokens is obeyed; in minutes the share done is the share of the time."""
    if limit == "Tokens":
        run = with_(base_run(tmp_path), "training.limit", wetware.Tokens(count=changed))
        trainer = Trainer(run, tmp_path / "tokens")
        trainer.fit()
        assert trainer.tokens == 48  # steps of 16 until at least 40
    else:
        assert wetware.Minutes(count=2.0).progress(0, 0, 60.0) == 0.5


def read_by(corpus) -> tuple:
    """What a corpus gives to read, and the name under which it is packed."""
    return tuple(tuple(corpus.documents(split)) for split in ("train", "validation")), corpus.fingerprint()


def files(folder, name):
    place = folder / name
    place.mkdir()
    asked = {"instruction": "How many?", "output": "Many."}
    rows = [{"text": f"{name} {index}", "other": f"other {index}", **asked} for index in range(40)]
    (place / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    return str(place)


def corpus_cases(folder):
    """``(corpus, field, another value)`` of every field of every corpus."""
    here, there = files(folder, "here"), files(folder, "there")
    local, hub = TextFiles(path=here), HubDataset(name="some/one")
    yield from ((local, "path", there), (local, "held_out", 0.5), (local, "column", "other"))
    yield from ((local, "form", Instructions()), (hub, "form", Instructions()))
    yield from ((hub, "name", "some/other"), (hub, "subset", "small"), (hub, "split", "test"), (hub, "column", "other"))
    yield from ((hub, "held_out", 0.5), (hub, "limit", 7), (hub, "revision", "v2"))
    yield (Sotu(), "held_out_digit", 3)
    mixture = Mixture(parts=(Part(name="here", corpus=local), Part(name="there", corpus=TextFiles(path=there))))
    yield from ((mixture, "parts", mixture.parts[:1]), (mixture, "held_out_documents", 1))
    few = {"count": 60, "held_out": 20}
    (folder / "told.txt").write_text("\n".join(f"The house of number {index} stands there." for index in range(40)))
    talk = TemplateConversations(about=TextFiles(path=str(folder / "told.txt")), **few)
    yield from ((talk, "count", 61), (talk, "held_out", 21), (talk, "seed", 1), (talk, "longest", 1))
    yield from ((talk, "about", replace(talk.about, held_out=0.4)), (talk, "topics", (Sums(largest=9),)))
    cut = Cut(corpus=local)
    yield from ((cut, "corpus", talk.about), (cut, "cutting", Words(most=1)))
    recall, binding, copying = AssociativeRecall(**few), VariableBinding(**few), Copying(**few)
    needle = Needle(**few, shortest=16, longest=40)
    for task in (recall, binding, copying, needle):
        yield from ((task, "count", 61), (task, "held_out", 21), (task, "seed", 1))
    yield from ((recall, "fewest", 3), (recall, "pairs", 9), (recall, "queries", 2), (recall, "keys", 9))
    yield from ((binding, "fewest", 3), (binding, "variables", 9), (binding, "queries", 2), (binding, "rebound", 1.0))
    yield from ((binding, "distractors", 1.0), (binding, "chained", 0.5), (binding, "values", 3), (recall, "values", 3))
    yield from ((copying, "shortest", 3), (copying, "longest", 20), (copying, "symbols", 4), (copying, "gap", 5))
    yield from ((needle, "shortest", 20), (needle, "longest", 50), (needle, "needles", 2), (needle, "values", 3))


def test_every_field_of_a_phase_text_changes_what_is_read(tmp_path):
    file = tmp_path / "text.txt"
    file.write_text("The old house is of the people, and of all. A law is a law for all people of it. " * 40)
    corpus = TextFiles(path=str(file))
    moves = (Words(), "most", 1), (Clauses(), "most", 2), (Sentences(), "together", 2), (Stories(), "longest", 90)
    for text, name, value in (*moves, (Conversations(count=20), "count", 21), (Conversations(count=20), "seed", 1)):
        before, after = read_by(text.of(corpus)), read_by(replace(text, **{name: value}).of(corpus))
        assert before[0] != after[0] and before[1] != after[1], f"{type(text).__name__}.{name}"


PHASES = (
    Phase(name="words", text=Words(), chunk=4, cap=TokenCap(count=96), counted=AfterMark(marks="p")),
    Phase(name="clauses", text=Clauses(), chunk=8, cap=ShareCap(share=0.3)),
    Phase(name="whole", chunk=8),
)
EAGER = Converged(window=2, flat=1.0, tests=2, every=0.1, tokens=60)


def course_of(curriculum: Curriculum, folder) -> tuple:
    """What a run with a curriculum shows: its losses and rates, and where its course stands at the end."""
    run = replace(base_run(folder), monitoring=Monitoring(evaluate_tokens=60, sample_tokens=1))
    run = with_(with_(run, "training.curriculum", curriculum), "training.batch", 4)
    trainer, reports = Trainer(with_(run, "training.limit.count", 20), Path(tempfile.mkdtemp(dir=folder)) / "run"), []
    trainer.reporter.step = lambda report, progress: reports.append((report.loss, report.factor, report.tokens))
    trainer.fit()
    return (*reports, trainer.course.where, trainer.course.to_dict(trainer.step)["heard"])


def test_every_field_of_a_curriculum_moves_something(tmp_path):
    """Of the transition in a curriculum that ends phases by their losses, of the rest in one that ends them at their caps."""
    by_cap = Curriculum(phases=PHASES, transition=AtCap(), replay=Replay(), rewarm=Rewarm(peak=1.0, rise=0.1, fall=0.2))
    eager = with_(replace(by_cap, transition=EAGER), "phases.words.cap", None)
    of_transition = [path for path in knobs(eager) if path.startswith("transition.")]
    values = {"transition.flat": 0.0, "replay.share": 0.7, "rewarm.peak": 0.0, "phases.words.cap.count": 48}
    values |= {"phases.words.name": "first", "phases.clauses.cap.share": 0.1}
    before = {config: course_of(config, tmp_path) for config in (by_cap, eager)}
    for path in (*knobs(by_cap), *of_transition, "replay", "rewarm", "phases.words.counted", "phases.words.text"):
        if path in ("phases.clauses.name", "phases.whole.name", "phases.clauses.counted", "phases.whole.counted"):
            continue  # as of the first phase
        if path == "phases.whole.cap" or ".text." in path:
            continue  # after the last phase nothing comes; texts are moved above
        config = eager if path in of_transition else by_cap
        if path in ("replay", "rewarm", "phases.words.counted"):
            changed = with_(config, path, None)
        elif path == "phases.words.text":
            changed = with_(config, path, Sentences())
        elif path == "phases.words.name":
            changed = replace(config, phases=(replace(PHASES[0], name="first"), *PHASES[1:]), transition=AtCap())
            assert course_of(changed, tmp_path)[:-2] == before[config][:-2], "a name moves no weight"
            continue
        else:
            changed = with_(config, path, values[path]) if path in values else moved(config, path)
        assert course_of(changed, tmp_path) != before[config], path


# Of what is packed in blocks while it is read; tests/training/test_streaming.py moves them.
OF_BLOCKS = {(Mixture, "block"), (Mixture, "keep")}


def fake_hub(monkeypatch):
    """A module ``datasets`` whose rows say what was asked for."""

    def load_dataset(name, *rest, **asked):
        label = json.dumps([name, rest, asked.get("name"), asked.get("split"), asked.get("revision")])
        asked = {"instruction": "How many?", "output": "Many."}
        return [{"text": f"{label} {index}", "other": f"other {index}", **asked} for index in range(60)]

    monkeypatch.setitem(sys.modules, "datasets", types.SimpleNamespace(load_dataset=load_dataset))


def test_every_field_of_a_corpus_changes_what_is_read(tmp_path, monkeypatch):
    fake_hub(monkeypatch)
    cases, seen = list(corpus_cases(tmp_path)), set()
    for corpus, name, value in cases:
        before, after = read_by(corpus), read_by(replace(corpus, **{name: value}))
        assert before[0] != after[0], f"{type(corpus).__name__}.{name} changes nothing that is read"
        assert before[1] != after[1], f"{type(corpus).__name__}.{name} would find the old text in the cache"
        seen.add((type(corpus), name))
    assert seen | OF_BLOCKS == {(kind, field.name) for kind in registered(Corpus).values() for field in fields(kind)}


def test_every_field_of_a_part_changes_what_is_read(tmp_path):
    here, there = (Part(name=name, corpus=TextFiles(path=files(tmp_path, name))) for name in ("here", "there"))
    before = read_by(Mixture(parts=(here, there)))
    for name, value in (("name", "zero"), ("corpus", Sotu()), ("share", 3.0)):
        after = read_by(Mixture(parts=(replace(here, **{name: value}), there)))
        assert before[0] != after[0] and before[1] != after[1], name


TOKENIZERS = {
    ("BPE", "vocab_size"): (260, 300),
    ("Characters", "limit"): (1, 3),
    ("LengthMax", "vocab_size"): (260, 280),
    ("LengthMax", "max_piece"): (3, 24),
    ("LengthMax", "spread"): (1, 3),
    ("LengthMax", "sample"): (16, 10_000),
    ("LengthMax", "specials"): ((), ("house",)),
    ("SavedTokenizer", "path"): ("one", "other"),
}


def test_every_field_of_a_tokenizer_changes_its_tokens(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    texts = [*["the house of the law of the land, é ü ß ñ"] * 3, "my, my, my, my, my"]
    wetware.Bytes().train(texts).save("one")
    wetware.BPE(vocab_size=300).train(texts).save("other")
    for (kind, name), values in TOKENIZERS.items():
        made = [registered(TokenizerConfig)[kind](**{name: value}).train(texts) for value in values]
        read = "encode_special" if name == "specials" else "encode"
        encoded = [[getattr(tokenizer, read)(text) for text in texts] for tokenizer in made]
        assert encoded[0] != encoded[1], f"{kind}.{name}"
    known = {(label, field.name) for label, kind in registered(TokenizerConfig).items() for field in fields(kind)}
    assert known == set(TOKENIZERS)


def test_sampling_fields_change_what_is_written():
    from wetware.models.generation import Session

    model = wetware.tiny("gpt").build(seed=2)
    with torch.no_grad():
        model.table.mul_(30)  # an untrained model hardly prefers anything

    def written(sampling):
        session = Session(model, sampling, seed=1)
        session.read([0, 3, 4])
        return list(session.write(40))

    base = Sampling(temperature=1.3)
    for path, value in (("temperature", 0.3), ("top_k", 2), ("top_p", 0.2), ("repetition_penalty", 3.0)):
        assert written(base) != written(with_(base, path, value)), path
