"""Words to the token numbers of BERT (base, uncased)."""

from __future__ import annotations

from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import TemplateProcessing

from emily_memory.embedding.pinned import Pinned

VOCABULARY = Pinned(
    package="emily_memory.embedding",
    path="data/vocab.txt",
    sha256="07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",  # pragma: allowlist secret
    remedy="install emily-memory anew",
)


def bert_tokenizer(tokens: int) -> Tokenizer:
    """A tokenizer that cuts at so many tokens, [CLS] and [SEP] among them.

    Such words within a text are plain characters: no text can end itself.

    Raises:
        EmbedderUnusable: The vocabulary is not the one that was vendored.
    """
    words = VOCABULARY.read().decode().splitlines()
    vocabulary = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(WordPiece(vocabulary))
    tokenizer.normalizer = BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = BertPreTokenizer()
    ends = [(word, vocabulary[word]) for word in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ends)
    tokenizer.enable_truncation(tokens)
    return tokenizer
