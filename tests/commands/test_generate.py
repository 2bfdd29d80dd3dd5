"""``wetware generate --draft``: the same text, a line on the drafts, and a refusal of one line."""

from __future__ import annotations

import wetware
from wetware.cli import main
from wetware.config import with_
from wetware.data import Bytes
from wetware.models.engines import ForwardEngine, engines


def test_drafts(tmp_path, capsys):
    whale = with_(wetware.tiny("spikewhale"), "traits.multi_token_prediction", wetware.MultiTokenPrediction())
    tokenizer, runs = Bytes().train([]), {}
    for name, config in (("whale", whale), ("gpt", wetware.tiny("gpt"))):
        config = with_(config, "vocab_size", tokenizer.vocab_size)
        runs[name] = str(wetware.save(config.build(), tmp_path / name, tokenizer))
    options = ["--tokens", "20", "--seed", "1", "--threads", "1", "--device", "cpu"]
    texts = []
    for more in ([], ["--draft"]):
        assert main(["generate", runs["whale"], *options, *more]) == 0
        texts.append(capsys.readouterr())
    assert texts[0].out == texts[1].out
    compiled = not isinstance(engines(wetware.load(runs["whale"])[0]), ForwardEngine)
    assert ("without --draft a compiled engine" in texts[1].err) == compiled
    assert "drafts:" in texts[1].err and "drafts:" not in texts[0].err
    assert main(["generate", runs["gpt"], *options, "--draft"]) == 2
    assert "no drafts: this GPT foretells one token only" in capsys.readouterr().err
