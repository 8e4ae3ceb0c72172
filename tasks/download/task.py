"""The download stage as Prefect sees it."""

from typing import Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State, TaskRun
from prefect.tasks import exponential_backoff

from schemas.errors import SourceUnreachable
from schemas.manifest import RawReceipt
from schemas.upstream import Upstream
from tasks.download.fetch import download
from tasks.lake import Lake

RETRIES = 2
BACKOFF_S = 5


def worth_retrying(_task: Any, _run: TaskRun, state: State[Any]) -> bool:
    """Whether the same download may succeed later: upstream was out of reach, and nothing else."""
    return isinstance(state.data, SourceUnreachable)


@task(
    name="download",
    task_run_name="download-{source.name}",
    retries=RETRIES,
    retry_delay_seconds=exponential_backoff(BACKOFF_S),
    retry_jitter_factor=0.5,
    retry_condition_fn=worth_retrying,
    cache_policy=NO_CACHE,
    log_prints=False,
)
def download_source(
    lake_uri: str, source: Upstream, columns: tuple[str, ...] | None = None
) -> RawReceipt:
    """Bring one source's files into the lake; `columns` as for `download`."""
    return download(source, Lake(lake_uri), columns=columns)
