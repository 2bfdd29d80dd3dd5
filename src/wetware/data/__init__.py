"""Text in, tokens out: corpora, tokenizers, packed shards and the streams that training and evaluation read.

``prepare(corpus, tokenizer)`` goes from text to two packed splits; ``Stream`` and ``held_out_rows`` read them. A ``Mixture`` is
packed while it is read.
Nothing here imports torch, pyarrow, tokenizers or datasets before it is needed.
"""

from wetware.data.conversations import Conversation, Turn
from wetware.data.corpora import Corpus, Sotu, TextFiles
from wetware.data.cutting import Clauses, Conversations, Cut, Cutting, PhaseText, Sentences, Stories, WholeText, Words
from wetware.data.files import DataError, default_cache
from wetware.data.forms import Instructions, Messages, MessageTrees, ShareGPT
from wetware.data.growing import Growing
from wetware.data.hub import HubDataset
from wetware.data.joined import Joined
from wetware.data.length_max import LengthMax, LengthMaxTokenizer
from wetware.data.mixture import Mixture, Part
from wetware.data.named import corpus_from
from wetware.data.packing import Packed, pack
from wetware.data.prepare import prepare, train_tokenizer
from wetware.data.saved_tokenizers import SavedTokenizer, load_tokenizer, tokenizer_from
from wetware.data.stream import Chunk, HeldOut, Rule, Stream, counts_any, held_out_rows
from wetware.data.tasks import AssociativeRecall, Copying, Needle, Task, VariableBinding
from wetware.data.template_conversations import Greetings, Names, Questions, Sums, TemplateConversations
from wetware.data.tokenizers import BPE, Bytes, Characters, Tokenizer, TokenizerConfig

__all__ = [
    "BPE",
    "AssociativeRecall",
    "Bytes",
    "Characters",
    "Chunk",
    "Clauses",
    "Conversation",
    "Conversations",
    "Copying",
    "Corpus",
    "Cut",
    "Cutting",
    "DataError",
    "Greetings",
    "Growing",
    "HeldOut",
    "HubDataset",
    "Instructions",
    "Joined",
    "LengthMax",
    "LengthMaxTokenizer",
    "MessageTrees",
    "Messages",
    "Mixture",
    "Names",
    "Needle",
    "Packed",
    "Part",
    "PhaseText",
    "Questions",
    "Rule",
    "SavedTokenizer",
    "Sentences",
    "ShareGPT",
    "Sotu",
    "Stories",
    "Stream",
    "Sums",
    "Task",
    "TemplateConversations",
    "TextFiles",
    "Tokenizer",
    "TokenizerConfig",
    "Turn",
    "VariableBinding",
    "WholeText",
    "Words",
    "corpus_from",
    "counts_any",
    "default_cache",
    "held_out_rows",
    "load_tokenizer",
    "pack",
    "prepare",
    "tokenizer_from",
    "train_tokenizer",
]
