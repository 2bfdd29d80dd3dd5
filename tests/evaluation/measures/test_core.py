"""CORE: a small bundle in the published layout, against a computation that shares no code with it."""

import itertools
import json
import math
import random
import zipfile
from dataclasses import replace

import pytest
import torch

import wetware
from wetware.data import BPE, Bytes, DataError
from wetware.evaluation.bundle import Bundle
from wetware.evaluation.measure import Subject
from wetware.evaluation.measures.core import Core
from wetware.training import load

WORDS = [
    "law",
    "house",
    "people",
    "union",
    "farmer",
    "river",
    "treaty",
    "army",
    "school",
    "debt",
    "bank",
    "ship",
    "road",
]

YAML = """\
icl_tasks:
- label: facts
  dataset_uri: knowledge/facts.jsonl
  num_fewshot: [2]
  icl_task_type: multiple_choice
  continuation_delimiter: "\\nAnswer: "
- label: pronouns
  dataset_uri: language/pronouns.jsonl
  num_fewshot: 0
  icl_task_type: schema
- label: endings
  dataset_uri: language/endings.jsonl
  num_fewshot: [1]
  icl_task_type: language_modeling
  continuation_delimiter: ""
"""
BASELINES = "Eval Task,Task Category,Random baseline\nfacts,x,25\npronouns,x,50\nendings,x,0\n"
DELIMITERS = {"facts": "\nAnswer: ", "pronouns": " ", "endings": ""}


def subject(name="real_sam", tokenizer=None, seed=3):
    tokenizer = tokenizer or Bytes().train([])
    model = replace(wetware.tiny(name), vocab_size=tokenizer.vocab_size).build(seed)
    return Subject(name, model, tokenizer, None, None, None)


@torch.no_grad()
def written(model, tokens, count):
    """What the model itself writes after ``tokens``."""
    tokens = [0, *tokens]
    for _ in range(count):
        tokens.append(int(model(torch.tensor([tokens])).logits[0, -1].argmax()))
    return tokens[-count:]


def rows():
    dice = random.Random(1)
    some = lambda count: " ".join(dice.choice(WORDS) for _ in range(count))  # noqa: E731
    facts = [
        {"query": some(4), "choices": [some(dice.randint(1, 3)) for _ in range(4)], "gold": dice.randrange(4)}
        for _ in range(12)
    ]
    pronouns = [
        {"context_options": [some(3), some(5)], "continuation": "saw " + some(2), "gold": dice.randrange(2)}
        for _ in range(10)
    ]
    endings = [{"context": f" {some(3)} \n", "continuation": " " + dice.choice(WORDS)} for _ in range(6)]
    return {"facts": facts, "pronouns": pronouns, "endings": endings}


FILES = {
    "facts": "knowledge/facts.jsonl",
    "pronouns": "language/pronouns.jsonl",
    "endings": "language/endings.jsonl",
}


def contents(items=None):
    items = items or rows()
    lines = {name: "".join(json.dumps(row) + "\n" for row in items[name]) for name in FILES}
    files = {f"eval_data/{FILES[name]}": text for name, text in lines.items()}
    return {"core.yaml": YAML, "eval_meta_data.csv": BASELINES, **files}


def as_folder(path, files):
    for name, text in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return str(path)


def as_zip(path, files, below=""):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(below + name, text)
    return str(path)


def take(bundle, of, **options):
    return Core(bundle=bundle, **options).take(of, lambda share: None)


# ------------------------------------------------------------------------------------------- an independent computation


@torch.no_grad()
def losses(of, context, continuation):
    """The loss of every token that holds something of the continuation, and whether each is the first choice."""
    text, border = context + continuation, len(context.rstrip().encode())
    tokens, ends, end = of.tokenizer.encode(text), [], 0
    for token in tokens:
        end += len(of.tokenizer.pieces[token])
        ends.append(end)
    logits = of.model(torch.tensor([[0, *tokens]])).logits[0].double()
    places = [place for place, end in enumerate(ends) if end > border]
    nats = [float(logits[place].logsumexp(0) - logits[place, tokens[place]]) for place in places]
    return nats, all(int(logits[place].argmax()) == tokens[place] for place in places)


def prompts_of(task, row, delimiter):
    """(context, continuation) pairs and the right one, by hand."""
    if task == "facts":
        return [(row["query"] + delimiter, choice) for choice in row["choices"]], row["gold"]
    if task == "pronouns":
        return [(option + delimiter, row["continuation"]) for option in row["context_options"]], row["gold"]
    return [(row["context"].strip() + delimiter, row["continuation"])], 0


def expected(of, core, bundle):
    """{task: accuracy}; the examples are taken from the measure's own prompts, which another test holds to the file."""
    accuracy = {}
    for task in Bundle(bundle).tasks():
        items, right = Bundle(bundle).items(task), []
        for index, item in enumerate(items):
            asked = core.prompts(task, items, index)
            found = [losses(of, context, continuation) for context, continuation in asked]
            if task.label == "endings":
                right.append(found[0][1])
            else:
                means = [sum(nats) / len(nats) for nats, _ in found]
                right.append(means.index(min(means)) == item.row["gold"])
        accuracy[task.label] = sum(right) / len(right)
    return accuracy


@pytest.mark.parametrize(("name", "cut"), [("real_sam", "Bytes"), ("gpt", "BPE")])
def test_accuracies_equal_brute_force(name, cut, tmp_path):
    tokenizer = Bytes().train([]) if cut == "Bytes" else BPE(vocab_size=290).train([" ".join(WORDS * 9)])
    of = subject(name, tokenizer)
    bundle = as_folder(tmp_path, contents())
    core, shares = Core(bundle=bundle, seed=4), []
    figures = core.take(of, shares.append)
    found = {result["task"]: result for result in figures["tasks"]}
    for task, accuracy in expected(of, core, bundle).items():
        assert found[task]["accuracy"] == pytest.approx(accuracy), task
    assert 0 < found["facts"]["accuracy"] < 1
    assert 0 < found["pronouns"]["accuracy"] < 1
    for task, baseline in (("facts", 0.25), ("pronouns", 0.5), ("endings", 0.0)):
        assert found[task]["centered"] == pytest.approx((found[task]["accuracy"] - baseline) / (1 - baseline))
    assert figures["core"] == pytest.approx(sum(result["centered"] for result in found.values()) / 3)
    assert shares == sorted(shares)
    assert shares[-1] == pytest.approx(1.0)
    assert json.loads(json.dumps(figures)) == figures
    table = core.table(json.loads(json.dumps(figures)))
    assert [row[0] for row in table.rows] == ["facts", "pronouns", "endings", "CORE"]
    assert {len(row) for row in table.rows} == {len(table.columns)}


def test_a_mean_is_not_a_sum():
    """Choices of unlike lengths: a sum of losses would choose the shortest. Else the test above could not tell them apart."""
    of, items = subject(), rows()["facts"]
    differ = 0
    for row in items:
        found = [losses(of, *pair)[0] for pair in prompts_of("facts", row, DELIMITERS["facts"])[0]]
        sums, means = [sum(nats) for nats in found], [sum(nats) / len(nats) for nats in found]
        differ += sums.index(min(sums)) != means.index(min(means))
    assert differ > 2


def test_what_the_model_writes_itself_is_right(tmp_path):
    """Continuations that are the model's own, and two that miss it by a byte: the accuracy is known."""
    of, items = subject("gpt"), rows()
    own = {}
    for pair in itertools.product(WORDS, WORDS):
        bytes_ = [token - 1 for token in written(of.model, of.tokenizer.encode(" ".join(pair)), 2)]
        if (
            all(33 < byte < 127 for byte in bytes_) and len(own) < 6
        ):  # an untrained model writes any byte, not only text
            own[" ".join(pair)] = bytes(bytes_).decode()
    assert len(own) == 6
    changes = [lambda text: text] * 4 + [lambda text: text[0] + "!", lambda text: "!" + text[1]]
    items["endings"] = [
        {"context": context, "continuation": change(text)}
        for (context, text), change in zip(own.items(), changes, strict=True)
    ]
    files = contents(items)
    files["core.yaml"] = YAML.replace("num_fewshot: [1]", "num_fewshot: 0")
    figures = take(as_folder(tmp_path, files), of)
    assert figures["tasks"][2]["accuracy"] == pytest.approx(4 / 6)


def test_prompts_exactly(tmp_path):
    """Every other item once, solved, in some order, then the item itself."""
    items = {name: some[:3] for name, some in rows().items()}
    bundle = Bundle(as_folder(tmp_path, contents(items)))
    core = Core(bundle=str(tmp_path))
    for task in bundle.tasks():
        task, orders = task._replace(shots=2), set()
        for index in range(3):
            ways, _ = prompts_of(task.label, items[task.label][index], DELIMITERS[task.label])
            solved = []
            for other in (other for other in range(3) if other != index):
                pairs, gold = prompts_of(task.label, items[task.label][other], DELIMITERS[task.label])
                solved.append("".join(pairs[gold]) + "\n\n")
            possible = ["".join(order) for order in itertools.permutations(solved)]
            found = core.prompts(task, bundle.items(task), index)
            assert [continuation for _, continuation in found] == [continuation for _, continuation in ways]
            beginnings = {context.removesuffix(way[0]) for (context, _), way in zip(found, ways, strict=True)}
            assert len(beginnings) == 1
            assert beginnings <= set(possible)
            orders.add(possible.index(beginnings.pop()))
            assert core.prompts(task, bundle.items(task), index) == found
        seeds = {str(Core(bundle="x", seed=seed).prompts(task, bundle.items(task), 0)) for seed in range(8)}
        assert len(seeds) == 2  # both orders of two examples come up


def test_a_prompt_to_read(tmp_path):
    items = {
        "facts": [
            {"query": "Sky?", "choices": ["blue", "red"], "gold": 0},
            {"query": "Grass?", "choices": ["pink", "green"], "gold": 1},
        ],
        "pronouns": rows()["pronouns"],
        "endings": [
            {"context": "one two ", "continuation": " three"},
            {"context": "a b", "continuation": " c"},
        ],
    }
    bundle = Bundle(as_folder(tmp_path, contents(items)))
    facts, _, endings = bundle.tasks()
    core = Core(bundle=str(tmp_path))
    facts = facts._replace(shots=1)
    before = "Grass?\nAnswer: green\n\nSky?\nAnswer: "
    assert core.prompts(facts, bundle.items(facts), 0) == [(before, "blue"), (before, "red")]
    assert core.prompts(endings, bundle.items(endings), 1) == [("one two three\n\na b", " c")]


def test_zip_and_folder_nested_and_not_say_the_same(tmp_path):
    of, files = subject("gpt"), contents()
    places = [
        as_folder(tmp_path / "flat", files),
        as_folder(tmp_path / "nested", {f"eval_bundle/{name}": text for name, text in files.items()}),
        as_zip(tmp_path / "flat.zip", files),
        as_zip(tmp_path / "nested.zip", files, "eval_bundle/"),
    ]
    before = sorted(path.name for path in tmp_path.iterdir())
    figures = [take(place, of, max_per_task=4) for place in places]
    assert all(each == figures[0] for each in figures)
    assert [result["items"] for result in figures[0]["tasks"]] == [4, 4, 4]
    assert sorted(path.name for path in tmp_path.iterdir()) == before  # nothing was unpacked


def test_the_model_and_its_dice_are_untouched(tmp_path):
    of = subject()
    kept = {name: tensor.clone() for name, tensor in of.model.state_dict().items()}
    torch.manual_seed(5)
    random.seed(5)
    dice, python = torch.get_rng_state(), random.getstate()
    bundle = as_folder(tmp_path, contents())
    assert take(bundle, of, max_per_task=3) == take(bundle, of, max_per_task=3)
    assert torch.equal(dice, torch.get_rng_state())
    assert random.getstate() == python
    assert all(torch.equal(tensor, kept[name]) for name, tensor in of.model.state_dict().items())


def changed(name, old, new):
    files = contents()
    assert old in files[name]
    return {**files, name: files[name].replace(old, new, 1)}


def without(name):
    files = contents()
    del files[name]
    return files


def broken(task, line, **fields):
    """One item of a task with other fields; a field that is None is missing."""
    items = rows()
    items[task][line - 1] |= fields
    items[task][line - 1] = {key: value for key, value in items[task][line - 1].items() if value is not None}
    return contents(items)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (without("core.yaml"), r"holds no core.yaml"),
        (without("eval_meta_data.csv"), r"missing file .*eval_meta_data.csv"),
        (without("eval_data/knowledge/facts.jsonl"), r"missing file .*eval_data/knowledge/facts.jsonl"),
        (changed("core.yaml", "icl_tasks:", "tasks:"), r"core.yaml: expected a list of tasks under 'icl_tasks'"),
        (changed("core.yaml", "- label: facts", "- label: [facts"), r"core.yaml: not YAML.* line"),
        (
            changed("core.yaml", "multiple_choice", "multiple_choices"),
            r"core.yaml, task 1 \(facts\).*'multiple_choice'",
        ),
        (changed("core.yaml", "dataset_uri: know", "uri: know"), r"core.yaml, task 1: no column 'dataset_uri'"),
        (changed("core.yaml", "num_fewshot: [2]", "num_fewshot: two"), r"core.yaml, task 1 .*'two'"),
        (changed("core.yaml", "num_fewshot: [2]", "num_fewshot: 12"), r"facts.jsonl: .*12 examples.*12 items"),
        (changed("core.yaml", "knowledge/facts", "../../facts"), r"leads out of the bundle"),
        (changed("core.yaml", "knowledge/facts.jsonl", "/etc/passwd"), r"missing file|leads out"),
        (
            changed("eval_meta_data.csv", "pronouns", "pronoun"),
            r"no row for the task 'pronouns'; did you mean 'pronoun'",
        ),
        (changed("eval_meta_data.csv", ",50", ",half"), r"eval_meta_data.csv, line 3: Random baseline 'half'"),
        (changed("eval_meta_data.csv", ",50", ",100"), r"eval_meta_data.csv, line 3: Random baseline '100'"),
        (changed("eval_meta_data.csv", "Random baseline", "Baseline"), r"line 2: no column 'Random baseline'"),
        (broken("facts", 3, query=None), r"facts.jsonl, line 3: no column 'query'"),
        (broken("facts", 2, gold=4), r"facts.jsonl, line 2: gold 4: allowed 0 to 3"),
        (broken("facts", 2, gold="a"), r"facts.jsonl, line 2: gold 'a'"),
        (broken("facts", 5, choices="abc"), r"facts.jsonl, line 5: choices 'abc'"),
        (broken("facts", 5, choices=["a", 3]), r"facts.jsonl, line 5, choices: expected text, got int"),
        (broken("endings", 6, continuation=""), r"endings.jsonl, line 6: an empty continuation"),
        (broken("pronouns", 4, continuation=None), r"pronouns.jsonl, line 4: no column 'continuation'"),
        (broken("endings", 1, continuation=7), r"endings.jsonl, line 1, continuation: expected text, got int"),
        ({**contents(), "eval_data/language/endings.jsonl": '{"context": "a"\n'}, r"endings.jsonl, line 1: not JSON"),
        ({**contents(), "eval_data/language/endings.jsonl": b"\xff\n"}, r"endings.jsonl, line 1: not UTF-8"),
        ({**contents(), "eval_data/language/endings.jsonl": "\n"}, r"endings.jsonl: no items"),
    ],
)
def test_what_is_wrong_is_one_line_that_says_where(files, message, tmp_path):
    for place in (as_folder(tmp_path / "folder", files), as_zip(tmp_path / "bundle.zip", files, "eval_bundle/")):
        with pytest.raises(DataError, match=message) as error:
            take(place, subject("gpt"))
        assert "\n" not in str(error.value)


def test_files_that_are_no_bundles(tmp_path):
    (tmp_path / "text.zip").write_text("no zip")
    as_zip(tmp_path / "damaged.zip", contents())
    damaged = bytearray((tmp_path / "damaged.zip").read_bytes())
    damaged[60:90] = bytes(30)
    (tmp_path / "damaged.zip").write_bytes(damaged)
    for name, message in (
        ("text.zip", "as a zip"),
        ("none.zip", "no bundle"),
        ("damaged.zip", "cannot read .*core.yaml"),
    ):
        with pytest.raises(DataError, match=message):
            take(str(tmp_path / name), subject("gpt"))
    assert "bundle" in Core().refusal(subject("gpt"))
    assert Core(bundle="x").refusal(subject("gpt")) is None


def test_a_saved_model_scores_the_same(tmp_path):
    of = subject()
    wetware.save(of.model, tmp_path / "saved", of.tokenizer)
    model, tokenizer = load(tmp_path / "saved")
    again = Subject("saved", model, tokenizer, None, None, None)
    bundle = as_folder(tmp_path / "bundle", contents())
    figures = take(bundle, of, max_per_task=5)
    assert take(bundle, again, max_per_task=5) == figures
    assert math.isfinite(figures["core"])
