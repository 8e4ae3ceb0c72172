"""Answers to a file of questions: a JSON line for each, added as they come, in order at the end.

Killed at any moment and run again, it goes on: what is answered is not answered again. Beside the
answers lies what they were made with, so that answers of two models or settings never mix.
"""

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.answers import AnswerRow, Decoding, Question
from schemas.errors import ConfigError
from trainer.files import only_writer, storage_errors, write_text
from trainer.generation import Answer, Assistant

ABOUT = ".about.json"
"""Ends the name of the file that says what the answers beside it were made with."""

SCORE_DIGITS = 5
"""Behind the point; float32 has no more that are alike on two machines."""

OnProgress = Callable[[int, int], None]
"""Called with how many lines are done, and how many there are."""


@dataclass(frozen=True)
class Answered:
    """What became of a file of questions, over all starts."""

    rows: int
    failed: int
    """lines that have an error in place of an answer"""
    tokens: int
    before: int
    """lines that were done when this start began"""


@dataclass(frozen=True)
class _Line:
    """A line of the input that is a question."""

    row: int
    question: Question

    @property
    def chars(self) -> int:
        return sum(len(turn["content"]) for turn in self.question.turns())


def answer_file(
    assistant: Assistant,
    asked: Path,
    answers: Path,
    decoding: Decoding,
    batch_size: int = 8,
    on_progress: OnProgress | None = None,
) -> Answered:
    """Answer every line of a JSON Lines file of `Question`s, with an `AnswerRow` each.

    A line that is no question, or that is too long, gets a row that says so. While work goes on
    `answers` has the rows in the order in which they were made, whole lines only; in the end it is
    in the order of the input.

    Raises:
        ConfigError: `asked` cannot be read; or `answers` was made with another model, other
            settings or another input, or is no file of answers.
        StorageError: `answers` cannot be written, or another process is writing it.
        TrainingError: memory ran out, or the model gives no numbers.
    """
    if asked.resolve() == answers.resolve():
        raise ConfigError(
            f"{asked}: questions and answers are the same file. Choose another --out."
        )
    content = _read(asked)
    with _only_writer(answers):
        _match(answers, _about(assistant, decoding, content))
        done = {row.row for row in _written(answers)}
        lines, refused = _parse(content)
        rows = len(lines) + len(refused)
        _append(answers, [row for row in refused if row.row not in done])
        count = len(done.union(row.row for row in refused))
        for batch in _batches([line for line in lines if line.row not in done], batch_size):
            if on_progress:
                on_progress(count, rows)
            _append(answers, _answer(assistant, batch, decoding))
            count += len(batch)
        found = _put_in_order(answers)
    if on_progress:
        on_progress(count, rows)
    failed = sum(row.error is not None for row in found)
    return Answered(rows, failed, sum(row.tokens for row in found), len(done))


def _answer(assistant: Assistant, lines: Sequence[_Line], decoding: Decoding) -> list[AnswerRow]:
    """The answers to a batch; a row that says why for a line that has no room or no template."""
    refused, fitting, prompts = [], [], []
    for line in lines:
        try:
            prompt = assistant.prompt_ids(line.question.turns())
            assistant.refuse_too_long(prompt, decoding)
        except ConfigError as error:
            refused.append(AnswerRow(row=line.row, id=line.question.id, error=str(error)))
        else:
            fitting.append(line)
            prompts.append(prompt)
    answers = assistant.answer_all(prompts, decoding, [line.row for line in fitting])
    return [*refused, *map(_row_of, fitting, answers)]


def _row_of(line: _Line, answer: Answer) -> AnswerRow:
    return AnswerRow(
        row=line.row,
        id=line.question.id,
        answer=answer.text,
        finish=answer.finish,
        tokens=answer.tokens,
        score=round(answer.score, SCORE_DIGITS),
        mean_score=round(answer.mean_score, SCORE_DIGITS),
    )


def _batches(lines: list[_Line], batch_size: int) -> Iterator[list[_Line]]:
    """Lines of like lengths together, the longest first: memory runs out at once or not at all."""
    ordered = sorted(lines, key=lambda line: (-line.chars, line.row))
    for begin in range(0, len(ordered), batch_size):
        yield ordered[begin : begin + batch_size]


def _read(asked: Path) -> bytes:
    try:
        return asked.read_bytes().removeprefix(b"\xef\xbb\xbf")
    except OSError as error:
        raise ConfigError(f"--in {asked}: cannot be read: {error.strerror or error}") from None


def _parse(content: bytes) -> tuple[list[_Line], list[AnswerRow]]:
    """The questions, and a row for each line that is none; blank lines do not count."""
    lines, refused = [], []
    texts = [text for text in content.split(b"\n") if text.strip()]
    for row, text in enumerate(texts):
        try:
            lines.append(_Line(row, Question.model_validate_json(text)))
        except ValidationError as error:
            refused.append(AnswerRow(row=row, id=_id_of(text), error=_explain(error)))
    return lines, refused


def _id_of(text: bytes) -> Any:
    """The id of a line that is no question, if it has one that a row can be written with."""
    try:
        found = json.loads(text)
        name = found.get("id") if isinstance(found, dict) else None
        _json_line(AnswerRow(row=0, id=name))
    except (ValueError, RecursionError):
        return None
    return name


def _explain(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = ".".join(map(str, first["loc"]))
    message = first["msg"].removeprefix("Value error, ")
    return f"{place}: {message}" if place else message


def _about(assistant: Assistant, decoding: Decoding, content: bytes) -> dict[str, Any]:
    """All that the answers depend on."""
    return {
        "model": assistant.digest,
        "template": assistant.template.digest,
        "system": assistant.system,
        **decoding.model_dump(mode="json"),
        "input": hashlib.sha256(content).hexdigest(),
    }


def _match(answers: Path, about: dict[str, Any]) -> None:
    """Note what the answers are made with; raise ConfigError where it is not what they were."""
    note = answers.with_name(answers.name + ABOUT)
    if not answers.exists() or answers.stat().st_size == 0:
        write_text(note, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
        return
    known = _known(note)
    if known is None:
        raise ConfigError(
            f"{answers} exists, and no {note.name} says what it was made with. Choose another "
            "--out, or delete it."
        )
    names = [name for name, value in about.items() if known.get(name) != value]
    if names:
        changes = "; ".join(
            f"{name}: {known.get(name)!r} then, {about[name]!r} now" for name in names
        )
        raise ConfigError(
            f"{answers} was made otherwise ({changes}). Choose another --out, or delete {answers} "
            "to answer everything anew."
        )


def _known(note: Path) -> dict[str, Any] | None:
    try:
        found = json.loads(note.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) else None


def _written(answers: Path) -> list[AnswerRow]:
    """The rows that are there; a last line that was torn by a kill is cut off first."""
    if not answers.exists():
        return []
    with storage_errors("mend", answers), answers.open("r+b") as file:
        content = file.read()
        whole = content.rfind(b"\n") + 1
        if whole < len(content):
            file.truncate(whole)
    try:
        return [AnswerRow.model_validate_json(line) for line in content[:whole].splitlines()]
    except ValidationError as error:
        raise ConfigError(
            f"{answers} holds a line that is no answer ({_explain(error)}). Choose another --out, "
            "or delete it to answer everything anew."
        ) from None


def _append(answers: Path, rows: Sequence[AnswerRow]) -> None:
    """Add rows to the file: all of them or, after a power cut, some and a torn one."""
    with storage_errors("write", answers), answers.open("ab") as file:
        file.write(b"".join(map(_json_line, rows)))
        file.flush()
        os.fsync(file.fileno())


def _json_line(row: AnswerRow) -> bytes:
    return row.model_dump_json(exclude_defaults=True).encode() + b"\n"


def _put_in_order(answers: Path) -> list[AnswerRow]:
    found = _written(answers)
    ordered = sorted(found, key=lambda row: row.row)
    if ordered != found:
        write_text(answers, b"".join(map(_json_line, ordered)).decode())
    return ordered


def _only_writer(answers: Path) -> contextlib.AbstractContextManager[None]:
    lock = answers.with_name(f".{answers.name}.lock")
    return only_writer(lock, f"{answers}: another process is answering into it")
