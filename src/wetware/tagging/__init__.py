"""Tagging: private data, found and hidden."""

from wetware.tagging.encoders import BothWays, Delayed, GRUCell, SpikingCell
from wetware.tagging.entities import KINDS, Span
from wetware.tagging.evaluation import Figures, measure
from wetware.tagging.examples import Example, TaggedCorpus, TaggedTexts
from wetware.tagging.run import EqualTags, RareKinds, RareTags, TagMonitoring, TagRun, TagTraining
from wetware.tagging.tagger import Tagger, TaggerModel, TagStream
from wetware.tagging.template_corpus import Templates
from wetware.tagging.trainer import TagTrainer, load_tagger

__all__ = [
    "KINDS",
    "BothWays",
    "Delayed",
    "EqualTags",
    "Example",
    "Figures",
    "GRUCell",
    "RareKinds",
    "RareTags",
    "Span",
    "SpikingCell",
    "TagMonitoring",
    "TagRun",
    "TagStream",
    "TagTrainer",
    "TagTraining",
    "TaggedCorpus",
    "TaggedTexts",
    "Tagger",
    "TaggerModel",
    "Templates",
    "load_tagger",
    "measure",
]
