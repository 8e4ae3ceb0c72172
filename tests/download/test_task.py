from pathlib import Path

import pytest
from prefect.cache_policies import NO_CACHE
from prefect.states import Failed

from schemas.errors import SourceChanged, SourceMissing, SourceUnreachable, StorageError
from schemas.source import Source
from tasks.download.task import download_source, worth_retrying

# fmt: off
ERRORS = {  #            error                             retried
    "out of reach":     (SourceUnreachable("no answer"),   True),
    "missing":          (SourceMissing("404"),             False),
    "changed":          (SourceChanged("other bytes"),     False),
    "the disk is full": (StorageError("no space"),         False),
    "a bug":            (ValueError("a bug"),              False),
}
# fmt: on


@pytest.mark.parametrize(("error", "retried"), ERRORS.values(), ids=ERRORS)
def test_only_an_upstream_out_of_reach_is_worth_another_try(error: Exception, retried: bool):
    assert worth_retrying(None, None, Failed(data=error)) is retried  # type: ignore[arg-type]


def test_the_task_waits_longer_each_time():
    assert download_source.retry_condition_fn is worth_retrying
    assert download_source.retries == 2
    assert download_source.retry_delay_seconds == [5, 10]
    assert download_source.retry_jitter_factor == 0.5
    assert download_source.cache_policy == NO_CACHE


def test_the_task_downloads_into_the_lake_it_is_given(tmp_path: Path):
    path = tmp_path / "data.json"
    path.write_bytes(b"[]")
    source = Source.model_validate(
        {"name": "corpus", "layout": "alpaca", "licence": "MIT", "local": {"path": str(path)}}
    )

    receipt = download_source.fn(str(tmp_path / "lake"), source)

    assert (tmp_path / "lake" / receipt.uri / "data.json").read_bytes() == b"[]"
    assert str(download_source.task_run_name).format(source=source) == "download-corpus"
