"""One source's upstream files, brought into the lake."""

from collections.abc import Sequence

from schemas.manifest import RawReceipt
from schemas.upstream import Upstream
from tasks.download.patience import Patience
from tasks.download.progress import Progress, telling
from tasks.download.raw import RawFolder
from tasks.lake import Lake

PATIENCE = Patience()


def download(
    source: Upstream,
    lake: Lake,
    progress: Progress | None = None,
    patience: Patience = PATIENCE,
    columns: Sequence[str] | None = None,
) -> RawReceipt:
    """Bring a source's files into the lake; the receipt names them, their bytes and their origin.

    `progress` is told how far it is; without it, whoever watches (`progress.watching`) and the log.
    Files that are there already are not copied or downloaded again. A killed or failed download
    leaves no receipt; one over HTTP or from the Hub goes on where it stopped. Of a source that is
    streamed from the Hub, only `columns` are kept, if any are given.

    Raises:
        SourceMissing: there is nothing where the source file points.
        SourceChanged: the bytes are not those that are pinned.
        SourceUnreachable: upstream does not answer; the next try may succeed.
        SourceError: upstream refuses, or what it gives is not data.
        StorageError: the lake cannot be written.
    """
    raw = RawFolder(lake, source.name)
    progress = progress or telling(source.name)
    if source.local is not None:
        from tasks.download.local import fetch_local

        return fetch_local(source.local, raw, progress)
    if source.http is not None:
        from tasks.download.http import fetch_http

        return fetch_http(source.http, raw, patience, progress)
    if source.hub is not None:
        from tasks.download.hub import fetch_hub

        return fetch_hub(source.hub, raw, patience, progress, columns)
    raise AssertionError("a source has exactly one of local, http, hub")
