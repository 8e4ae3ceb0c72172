"""report.html of a run: complete, inert, and what its folder says."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from schemas.adapter import AnswerSample, Reply
from schemas.errors import AdapterRejected
from schemas.manifest import CorpusManifest
from tests.trainer.building import build_corpus, conversations, recipe_of
from tests.trainer.test_run import teach, train
from trainer.answers import SAMPLES, read_samples
from trainer.training_report import REPORT, read_steps, render_report, write_report

NASTY = "<script>alert(1)</script> & 你好 \u202e\x1b[2J {{ 7 * 7 }}"


class Page(HTMLParser):
    """The tags and the text of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.words: list[str] = []
        self.feed(html)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture(scope="module")
def made(tmp_path_factory, tiny_model):
    """A run with answers, its corpus manifest and its folder."""
    lake = tmp_path_factory.mktemp("lake")
    recipe = recipe_of(tiny_model, max_steps=6, answers=3, answer_tokens=4)
    path = build_corpus(lake, recipe, conversations(24), conversations(8, start=64))
    done = train(path, recipe)
    corpus = CorpusManifest.model_validate_json(path.read_text("utf-8"))
    return done.manifest, corpus, Path(done.folder)


def test_the_page_has_the_numbers_of_the_manifest(made):
    manifest, _, folder = made
    html = (folder / REPORT).read_text("utf-8")
    page = Page(html)
    assert "Accepted" in page.text
    assert "Pushed to winnow/tiny" in page.text
    for number in (manifest.before.loss, manifest.after.loss):
        assert f"{number:.3f}" in page.text
    for group in manifest.after.of("source").values():
        assert f"{group.value} {manifest.before.of('source')[group.value].loss:.4f}" in page.text
    for one in manifest.audit:
        assert f"{one.source} {one.conversations} {one.kept} {one.tokens}" in page.text
    for digest in (manifest.corpus_digest, manifest.base_digest, manifest.adapter_sha256):
        assert digest in page.text
    for sample in read_samples(folder / SAMPLES):
        assert sample.prompt in page.text
    assert html.count("<svg") == 3
    assert "things CC0-1.0" in page.text
    assert str(manifest.train.base_model.path) not in html


def test_the_page_runs_nothing_and_asks_for_nothing(made):
    page = Page((made[2] / REPORT).read_text("utf-8"))
    assert not {"script", "iframe", "object", "form", "img"} & set(page.tags)
    outside = [link for link in page.links if not link.startswith(("#", "data:,"))]
    assert outside == ["../../corpora/tiny/v0001/report.html"]


def test_the_link_leads_to_the_corpus_version(made):
    folder = made[2]
    assert (folder / "../../corpora/tiny/v0001/manifest.json").resolve().is_file()


def test_text_of_the_corpus_and_of_models_is_inert(made):
    manifest, corpus, _ = made
    reply = Reply(text=NASTY, finished=False)
    sample = AnswerSample(
        row=1, source=NASTY, prompt=NASTY, reference=NASTY, base=reply, adapter=reply
    )
    groups = tuple(
        one.model_copy(update={"value": NASTY} if one.key == "source" else {})
        for one in manifest.after.groups[:1]
    )
    one = manifest.after.model_copy(update={"groups": groups})
    nasty = manifest.model_copy(update={"before": one, "after": one, "base_model": NASTY})
    html = render_report(nasty, corpus, pl.DataFrame({"step": [1], "loss": [1.0]}), [sample])
    assert "script" not in Page(html).tags
    assert "alert(1)" in Page(html).text
    assert "49" not in re.findall(r"<h4>Prompt</h4>.*?</div>", html, re.DOTALL)[0]
    assert "\u202e" not in "".join(re.findall(r'class="quote".*?</div>', html, re.DOTALL))
    assert "\x1b" not in "".join(re.findall(r'class="quote".*?</div>', html, re.DOTALL))


def test_a_rejected_adapter_leaves_its_report(tmp_path, tiny_model):
    """The base was taught what validation asks for, and the corpus teaches something else."""
    known = [
        [question, {"role": "assistant", "content": "zzzz"}] for question, _ in conversations(8)
    ]
    recipe = recipe_of(teach(tiny_model, known, tmp_path / "taught"))
    path = build_corpus(tmp_path / "lake", recipe, conversations(32), known)
    with pytest.raises(AdapterRejected, match=REPORT):
        train(path, recipe)
    (report,) = (tmp_path / "lake" / "runs").glob(f"*/{REPORT}")
    text = Page(report.read_text("utf-8")).text
    assert "Rejected" in text
    assert "train.max_loss_increase allows 0" in text
    assert not (report.parent / "adapter" / "training_manifest.json").exists()


def test_a_run_without_validation_or_metrics_still_has_its_page(made, tmp_path):
    manifest, corpus, _ = made
    bare = manifest.model_copy(
        update={
            "before": None,
            "after": None,
            "answers_before": None,
            "answers_after": None,
            "lengths": None,
        }
    )
    write_report(tmp_path, bare, corpus)
    page = Page((tmp_path / REPORT).read_text("utf-8"))
    assert "no validation split" in page.text
    assert "svg" not in page.tags
    assert [link for link in page.links if "corpora" in link] == []  # not in a lake


# fmt: off
LINES = {  #                    what the file holds                                       steps
    "nothing":                 ("",                                                       []),
    "whole lines":             ('{"step": 1, "loss": 2}\n{"step": 2, "loss": 1.5}\n',     [1, 2]),
    "a line that was cut off": ('{"step": 1, "loss": 2.5, "x": 1}\n{"step": 2, "lo',      [1]),
    "more than step and loss": ('{"step": 1, "loss": 2.5, "mfu": null}\n',                [1]),
}
# fmt: on


@pytest.mark.parametrize(("text", "steps"), LINES.values(), ids=LINES.keys())
def test_the_whole_lines_of_metrics_are_read(text, steps, tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(text, "utf-8")
    assert read_steps(path)["step"].to_list() == steps
    assert read_steps(tmp_path / "none.jsonl").is_empty()


def test_a_long_curve_is_thinned_to_means(made):
    from trainer.training_charts import POINTS, loss_chart

    steps = pl.DataFrame({"step": range(1, 10_001), "loss": [2.0, 4.0] * 5_000})
    svg = loss_chart(steps, None, None)
    assert len(svg) < 60_000
    assert svg.count("L") < 3 * POINTS


def test_metrics_of_the_run_are_the_curve(made):
    folder = made[2]
    lines = (folder / "metrics.jsonl").read_text("utf-8").splitlines()
    expected = [json.loads(line)["loss"] for line in lines]
    assert read_steps(folder / "metrics.jsonl")["loss"].to_list() == expected
