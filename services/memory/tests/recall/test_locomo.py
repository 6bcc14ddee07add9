"""The runner of LoCoMo, on a file of its format that was made up here."""

from __future__ import annotations

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from emily_memory.embedding.minilm import MiniLM

BENCHMARKS = Path(__file__).parents[4] / "benchmarks"
SAID: dict[str, list[tuple[str, str, str | None]]] = {
    "session_1": [
        ("Ada", "I adopted a puppy from the shelter last weekend!", None),
        ("Ben", "How lovely. What is its name?", None),
        ("Ada", "We call him Turing, he chews on everything.", "a brown dog with a shoe"),
        ("Ben", "Thanks!", None),
    ],
    "session_2": [
        ("Ben", "My pottery class starts on Monday evening.", None),
        ("Ada", "I am training for a marathon in Lisbon.", None),
        ("Ben", "Thanks!", None),
        ("Ada", "My sister moved to Norway to study whales.", None),
        ("Ben", "The violin lessons are going well.", None),
        ("Ada", "I painted the kitchen yellow.", None),
        ("Ben", "My car broke down on the motorway.", None),
        ("Ada", "We saw a play about Galileo at the theatre.", None),
        ("Ben", "I planted tomatoes on the balcony.", None),
        ("Ada", "The doctor says that my knee is fine.", None),
    ],
}
ASKED = [
    ("Where did Ada's dog come from?", ["D1:1"], 4),
    ("What is the dog of Ada called, and what does it do?", ["D1:3; D1:2"], 1),
    ("Where will Ada run a marathon?", ["D2:02"], 2),
    ("Who said thanks?", ["D1:4", "D2:3"], 1),
    ("What is Ben's opinion on opera?", [], 5),
    ("What does the last session say?", ["D9:9"], 3),
]


def sample() -> dict[str, Any]:
    conversation: dict[str, Any] = {"speaker_a": "Ada", "speaker_b": "Ben"}
    for number, (name, turns) in enumerate(SAID.items(), 1):
        conversation[f"{name}_date_time"] = f"1:56 pm on {number} May, 2023"
        conversation[name] = [
            {"speaker": speaker, "dia_id": f"D{number}:{place}", "text": text, "img_url": ["x"]}
            | ({"blip_caption": caption} if caption else {})
            for place, (speaker, text, caption) in enumerate(turns, 1)
        ]
    asked = [
        {"question": question, "answer": 1, "evidence": evidence, "category": category}
        for question, evidence, category in ASKED
    ]
    return {"sample_id": "conv-1", "conversation": conversation, "qa": asked, "event_summary": {}}


@pytest.fixture
def locomo(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(BENCHMARKS)
    spec = importlib.util.spec_from_file_location("locomo", BENCHMARKS / "locomo.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "locomo", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "locomo.json"
    path.write_text(json.dumps([sample(), sample()]))
    return path


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, BENCHMARKS / "locomo.py", *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=50,
        stdin=subprocess.DEVNULL,
    )


def test_evidence_is_read_however_it_is_written(locomo: ModuleType) -> None:
    assert locomo.identities("D8:6; D9:17 D:11:26 D30:05") == {(8, 6), (9, 17), (11, 26), (30, 5)}
    assert locomo.identities("D") == set()


def test_only_questions_with_evidence_among_the_turns_count(locomo: ModuleType, data: Path) -> None:
    first = locomo.load(data)[0]
    assert len(first.turns) == 14
    assert [evidence for _, evidence in first.questions] == [
        {(1, 1)},
        {(1, 2), (1, 3)},
        {(2, 2)},
        {(1, 4), (2, 3)},
    ]
    assert first.astray == 1


@pytest.mark.anyio
async def test_evidence_is_found_through_the_library(
    locomo: ModuleType, data: Path, url: str, minilm: MiniLM
) -> None:
    figures = await locomo.measure(locomo.load(data), minilm, url)
    assert (figures["turns"], figures["questions"], figures["evidence_astray"]) == (28, 8, 2)
    assert figures["recall_at_10"]["hybrid"] == 1
    assert figures["by_category"]["multi-hop"] == {"questions": 4, "dense": 1, "words": 1, "hybrid": 1}
    assert figures["by_category"].keys() == {"multi-hop", "temporal", "single-hop"}


@pytest.mark.anyio
async def test_what_is_not_among_the_best_ten_does_not_count(
    locomo: ModuleType, data: Path, url: str, minilm: MiniLM
) -> None:
    document = [sample()]
    everything = [f"D1:{place}" for place in range(1, 5)] + [f"D2:{place}" for place in range(1, 11)]
    document[0]["qa"] = [{"question": "What was said?", "evidence": everything, "category": 1}]
    data.write_text(json.dumps(document))
    figures = await locomo.measure(locomo.load(data), minilm, url)
    ten_memories = (10 / 14, 11 / 14)  # two turns are one memory
    assert figures["recall_at_10"]["hybrid"] in ten_memories


def test_without_a_file_it_says_what_to_supply() -> None:
    result = run()
    assert result.returncode == 2
    assert "Supply the data: --data locomo10.json" in result.stderr
    assert '"dia_id": "D1:1"' in result.stderr


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda document: document.clear(), "the list is empty"),
        (lambda document: document[0].pop("qa"), "`qa`"),
        (
            lambda document: document[0]["conversation"]["session_2"][1].pop("text"),
            "conversation 0, session_2",
        ),
        (lambda document: document[0]["conversation"].pop("session_1_date_time"), "session_1_date_time"),
        (lambda document: document[0]["conversation"]["session_1"][0].update(dia_id="x"), "session_1"),
        (lambda document: document[0].update(qa=[]), "no question names evidence"),
    ],
)
def test_a_file_of_another_format_is_refused_with_the_place(data: Path, change: Any, why: str) -> None:
    document = [sample()]
    change(document)
    data.write_text(json.dumps(document))
    result = run("--data", str(data))
    assert result.returncode == 2
    assert why in result.stderr
    assert "Supply the data" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = run("--data", str(tmp_path / "none.json"))
    assert result.returncode == 2
    assert "none.json" in result.stderr
