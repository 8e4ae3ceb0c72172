"""A file of questions: a row for every line, none lost by a kill, none from another model."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from schemas.answers import Decoding, Question
from schemas.errors import ConfigError, StorageError
from trainer import batch_answers
from trainer.batch_answers import answer_file
from trainer.generation import Assistant
from trainer.opening import open_assistant

FEW = Decoding(max_new_tokens=6)
WARM = Decoding(max_new_tokens=6, temperature=1.5, seed=3)
LONG = "why " * 300


@pytest.fixture(scope="module")
def assistant(tiny_model: Path) -> Assistant:
    """Its window is of 256 tokens."""
    return open_assistant(str(tiny_model))


def write(path: Path, *rows: Any) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row, ensure_ascii=False) for row in rows]
    path.write_text("\n".join(lines), "utf-8")
    return path


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Seven questions of mixed lengths."""
    questions = [{"id": f"q{row}", "prompt": "Say it again. " * (row * 5 % 7)} for row in range(7)]
    return write(tmp_path / "asked.jsonl", *questions)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "answers.jsonl"


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


# fmt: off
TURNS = {  #           the line                                                  what is asked
    "prompt":          ({"prompt": "a"},                                         [("user", "a")]),
    "instruction":     ({"instruction": "a"},                                    [("user", "a")]),
    "with input":      ({"instruction": "a ", "input": "b\n"},                   [("user", "a\n\nb")]),
    "blank input":     ({"instruction": "a", "input": " "},                      [("user", "a")]),
    "no input":        ({"instruction": "a", "input": None},                     [("user", "a")]),
    "messages":        ({"messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "a"}]},
                        [("system", "s"), ("user", "a")]),
    "a corpus row":    ({"messages": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}], "source": "x"},
                        [("user", "a")]),
}
# fmt: on


@pytest.mark.parametrize(("line", "turns"), TURNS.values(), ids=TURNS.keys())
def test_a_question_is_a_prompt_a_conversation_or_an_instruction(line, turns):
    found = Question.model_validate_json(json.dumps(line)).turns()
    assert [(turn["role"], turn["content"]) for turn in found] == turns


def test_every_line_is_answered_as_alone_and_in_its_place(assistant, asked, out):
    seen: list[tuple[int, int]] = []
    done = answer_file(assistant, asked, out, FEW, 3, lambda *counts: seen.append(counts))
    rows = read(out)
    assert [row["row"] for row in rows] == list(range(7))
    assert [row["id"] for row in rows] == [f"q{number}" for number in range(7)]
    for row, line in zip(rows, read(asked), strict=True):
        alone = assistant.answer([{"role": "user", "content": line["prompt"]}], FEW)
        assert (row["answer"], row["finish"], row["tokens"]) == (
            alone.text, alone.finish.value, alone.tokens,
        )  # fmt: skip
        assert row["score"] == pytest.approx(alone.score, abs=1e-3)
        assert row["mean_score"] == pytest.approx(alone.mean_score, abs=1e-3)
    assert (done.rows, done.failed, done.before) == (7, 0, 0)
    assert done.tokens == sum(row["tokens"] for row in rows)
    assert seen == [(0, 7), (3, 7), (6, 7), (7, 7)]


def test_sampled_answers_do_not_depend_on_the_batches(assistant, asked, tmp_path):
    found = []
    for size in (1, 3, 7):
        out = tmp_path / f"{size}.jsonl"
        answer_file(assistant, asked, out, WARM, size)
        found.append([(row["answer"], row["tokens"]) for row in read(out)])
    assert found[0] == found[1] == found[2]
    assert len({answer for answer, _ in found[0]}) > 1


# fmt: off
BAD = {  #                  the line                                         its error            its id
    "no JSON":              ('{"id": 1, "prompt": "a',                       "Invalid JSON",      None),
    "no object":            ("[1]",                                          "object",            None),
    "nothing asked":        ({"id": 5, "question": "a"},                     "exactly one of",    5),
    "asked twice":          ({"prompt": "a", "instruction": "b"},            "found prompt, instr", None),
    "a number":             ({"id": "x", "prompt": 7},                       "prompt: Input should be a valid string", "x"),
    "no user's turn":       ({"messages": [{"role": "assistant", "content": "a"}]}, "a user's turn", None),
    "no turn":              ({"messages": []},                               "a user's turn",     None),
    "an unknown role":      ({"messages": [{"role": "bot", "content": "a"}]}, "messages.0.role",  None),
    "half a character":     (r'{"id": 2, "prompt": "\ud800"}',               "Invalid JSON",      2),
    "too long":             ({"id": 3, "prompt": LONG},                      "window of 256",     3),
    "half an id":           (r'{"id": "\ud800", "prompt": "a"}',             "Invalid JSON",      None),
    "half a key of an id":  (r'{"id": {"\udfff": 1}, "prompt": "a"}',        "Invalid JSON",      None),
    "an id that nests":     ('{"id": ' + "[" * 900 + "]" * 900 + ', "prompt": "a"}', "Invalid JSON", None),
}
# fmt: on


@pytest.mark.parametrize(("line", "error", "name"), BAD.values(), ids=BAD.keys())
def test_a_bad_line_has_a_row_that_says_why_and_the_others_are_answered(
    line, error, name, assistant, tmp_path, out
):
    asked = write(tmp_path / "asked.jsonl", {"prompt": "Hi"}, "", line, {"prompt": "Ho"})
    done = answer_file(assistant, asked, out, FEW)
    rows = read(out)
    assert [row["row"] for row in rows] == [0, 1, 2]
    assert error in rows[1]["error"]
    assert rows[1].get("id") == name
    assert "answer" not in rows[1]
    assert all("answer" in rows[place] for place in (0, 2))
    assert (done.rows, done.failed) == (3, 1)


def test_bytes_that_are_no_text_are_a_bad_line(assistant, tmp_path, out):
    asked = tmp_path / "asked.jsonl"
    asked.write_bytes(
        b'\xef\xbb\xbf{"prompt": "Hi"}\r\n{"prompt": "\xff"}\n{"id": "\xe4\xbd\xa0", "prompt": "x"}'
    )
    answer_file(assistant, asked, out, FEW)
    first, second, third = read(out)
    assert "answer" in first
    assert "JSON" in second["error"]
    assert third["id"] == "你"


def test_an_empty_file_has_no_answers(assistant, tmp_path, out):
    assert answer_file(assistant, write(tmp_path / "asked.jsonl"), out, FEW).rows == 0
    assert out.read_bytes() == b""


# --- started again


def counting(monkeypatch: pytest.MonkeyPatch, fail_at: int = 99) -> Iterator[list[int]]:
    """The rows that are answered, batch by batch; batch number `fail_at` is interrupted."""
    batches: list[list[int]] = []
    answer = batch_answers._answer

    def counted(assistant: Any, lines: Any, decoding: Any) -> Any:
        if len(batches) == fail_at:
            raise KeyboardInterrupt
        batches.append([line.row for line in lines])
        return answer(assistant, lines, decoding)

    monkeypatch.setattr(batch_answers, "_answer", counted)
    return batches  # type: ignore[return-value]


def test_what_is_answered_is_not_answered_again(assistant, asked, out, tmp_path, monkeypatch):
    whole = tmp_path / "whole.jsonl"
    answer_file(assistant, asked, whole, WARM, 2)
    with monkeypatch.context() as patch:
        counting(patch, fail_at=2)
        with pytest.raises(KeyboardInterrupt):
            answer_file(assistant, asked, out, WARM, 2)
    assert len(read(out)) == 4
    with out.open("ab") as file:
        file.write(b'{"row":5,"answer":"torn by a ki')
    with monkeypatch.context() as patch:
        batches = counting(patch)
        done = answer_file(assistant, asked, out, WARM, 2)
    assert sorted(map(len, batches)) == [1, 2]
    assert done.before == 4
    assert [(row["row"], row["answer"]) for row in read(out)] == [
        (row["row"], row["answer"]) for row in read(whole)
    ]
    with monkeypatch.context() as patch:
        batches = counting(patch)
        before = out.read_bytes()
        assert answer_file(assistant, asked, out, WARM, 2).before == 7
        assert (batches, out.read_bytes()) == ([], before)


KILLED = """
import os, signal, sys
from pathlib import Path
from trainer.quiet import hush
hush()
from schemas.answers import Decoding
from trainer.batch_answers import answer_file
from trainer.opening import open_assistant
def on_progress(done, rows):
    if done == 4:
        os.kill(os.getpid(), signal.SIGKILL)
model, asked, out = sys.argv[1:]
answer_file(open_assistant(model), Path(asked), Path(out),
            Decoding(max_new_tokens=6, temperature=1.5, seed=3), 2, on_progress)
"""


def test_a_kill_loses_no_answer(assistant, asked, out, tmp_path, tiny_model):
    whole = tmp_path / "whole.jsonl"
    answer_file(assistant, asked, whole, WARM, 2)
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tiny_model), str(asked), str(out)],
        timeout=120,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert len(read(out)) == 4
    assert answer_file(assistant, asked, out, WARM, 2).before == 4
    assert [row["answer"] for row in read(out)] == [row["answer"] for row in read(whole)]


# fmt: off
CHANGES = {  #        settings                                    input                 what the error names
    "settings":      (Decoding(max_new_tokens=7),                 None,                 "max_new_tokens: 6 then, 7 now"),
    "the seed":      (Decoding(max_new_tokens=6, seed=1),         None,                 "seed: 0 then, 1 now"),
    "a stop string": (Decoding(max_new_tokens=6, stop=("a",)),    None,                 "stop: "),
    "the questions": (FEW,                                        {"prompt": "more"},   "input: "),
}
# fmt: on


@pytest.mark.parametrize("note", ["[]", '"x"', "{", ""])
def test_a_note_that_says_nothing_is_no_note(note, assistant, asked, out):
    answer_file(assistant, asked, out, FEW)
    out.with_name(out.name + ".about.json").write_text(note, "utf-8")
    with pytest.raises(ConfigError, match="says what it was made with"):
        answer_file(assistant, asked, out, FEW)


@pytest.mark.parametrize(("decoding", "more", "named"), CHANGES.values(), ids=CHANGES.keys())
def test_answers_of_two_settings_never_mix(decoding, more, named, assistant, asked, out):
    answer_file(assistant, asked, out, FEW)
    before = out.read_bytes()
    if more:
        write(asked, *read(asked), more)
    with pytest.raises(ConfigError, match=named) as refused:
        answer_file(assistant, asked, out, decoding)
    assert "Choose another --out, or delete" in str(refused.value)
    assert out.read_bytes() == before
    out.unlink()
    assert answer_file(assistant, asked, out, decoding).before == 0


def test_answers_of_two_models_or_system_messages_never_mix(assistant, asked, out):
    answer_file(assistant, asked, out, FEW)
    other = Assistant(assistant.model, assistant.template, None, "0" * 64)
    with pytest.raises(ConfigError, match="model: "):
        answer_file(other, asked, out, FEW)
    other = Assistant(assistant.model, assistant.template, "Be kind.", assistant.digest)
    with pytest.raises(ConfigError, match=r"system: None then, 'Be kind\.' now"):
        answer_file(other, asked, out, FEW)


def test_a_file_of_something_else_is_left_alone(assistant, asked, out):
    out.parent.mkdir()
    out.write_text("my notes\n", "utf-8")
    with pytest.raises(ConfigError, match="says what it was made with"):
        answer_file(assistant, asked, out, FEW)
    assert out.read_text("utf-8") == "my notes\n"
    with pytest.raises(ConfigError, match="the same file"):
        answer_file(assistant, asked, asked, FEW)
    with pytest.raises(ConfigError, match="cannot be read"):
        answer_file(assistant, asked.with_name("none"), out, FEW)


def test_a_line_that_was_broken_by_hand_is_refused(assistant, asked, out):
    answer_file(assistant, asked, out, FEW)
    out.write_bytes(out.read_bytes().replace(b'"row":2', b'"line":2'))
    with pytest.raises(ConfigError, match="a line that is no answer"):
        answer_file(assistant, asked, out, FEW)


def test_two_processes_do_not_write_one_file(assistant, asked, out):
    with batch_answers._only_writer(out), pytest.raises(StorageError, match="another process"):
        answer_file(assistant, asked, out, FEW)


def test_a_place_that_cannot_be_written_says_so(assistant, asked, tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")
    with pytest.raises(StorageError, match="cannot write"):
        answer_file(assistant, asked, blocked / "answers.jsonl", FEW)
