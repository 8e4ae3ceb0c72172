"""What the terminal shows of a download: a bar for every source, or a line now and then."""

import io
import logging

import pytest
from rich.console import Console

from flows import progress, terminal
from tasks.download.progress import telling


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    text = io.StringIO()
    console = Console(file=text, force_terminal=True, width=100, height=20)
    monkeypatch.setattr(progress, "_console", console)
    monkeypatch.setattr(terminal, "err", console)
    return text


def test_every_source_on_its_way_has_a_bar_below_the_step(shown: io.StringIO):
    one, two = telling("one"), telling("two")
    with progress.watched(quiet=False), progress._bar("download", total=2) as advance:
        one(1_000_000, 4_000_000)
        two(500_000, None)
        advance()
    said = shown.getvalue()
    assert "one" in said
    assert "1.0/4.0 MB" in said
    assert "500.0/? kB" in said
    assert "1/2" in said


def test_a_source_that_is_there_has_none(shown: io.StringIO):
    with progress.watched(quiet=False), progress._bar("download", total=2):
        telling("gone")(5_000_000, 5_000_000)
    assert "5.0/5.0" not in shown.getvalue()


@pytest.mark.parametrize("is_terminal", [True, False])
def test_a_log_of_bytes_is_for_those_who_have_no_bars(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool
):
    text = io.StringIO()
    console = Console(file=text, force_terminal=is_terminal, width=100)
    monkeypatch.setattr(terminal, "err", console)
    with terminal.told(logging.INFO):
        logging.getLogger("tasks.download.progress").info("source far: 3.0 MB are there")
        logging.getLogger("tasks.download.patience").warning("attempt 1 of 5")
    assert ("3.0 MB" in text.getvalue()) is not is_terminal
    assert "attempt 1 of 5" in text.getvalue()
