"""Files of a Hugging Face dataset repository, all of one commit."""

from collections.abc import Sequence, Set
from functools import partial
from pathlib import Path, PurePosixPath

from huggingface_hub.hf_api import RepoFile

from schemas.manifest import RawFile, RawReceipt
from schemas.upstream import HubUpstream
from schemas.urls import shown
from tasks.download.checked import Checked, State, counted
from tasks.download.hub_repository import COMMIT as GIT_ID
from tasks.download.hub_repository import PARQUET, Repository, etag
from tasks.download.names import kept_name, unique_names
from tasks.download.patience import Patience
from tasks.download.progress import Progress, Tally
from tasks.download.raw import Obtained, RawFolder, Remembered
from tasks.lake import digest_of

SHOWN_COMMIT_CHARS = 12


def fetch_hub(
    upstream: HubUpstream,
    raw: RawFolder,
    patience: Patience,
    progress: Progress | None = None,
    columns: Sequence[str] | None = None,
) -> RawReceipt:
    """Bring the files that match, of the commit that the revision is now, into the lake.

    An unchanged commit costs one request, a commit that is named in full and is in the lake none.
    Of a changed one, or where other patterns match, only the files whose bytes the lake lacks are
    downloaded, under whatever name any download of the source has them; earlier receipts and their
    files stay. A stream keeps `columns`, None for all.

    Raises:
        SourceMissing: no such repository, revision or file, or the repository is private.
        SourceUnreachable: no answer, or 429 and 5xx, until patience ran out.
        SourceError: access is refused or has to be asked for, the network is switched off, or a
            file to be streamed is not Parquet.
        StorageError: the lake cannot be written, or its disk is too full for the download.
    """
    hub = Repository.open(raw.source, upstream, patience)
    definition = definition_of(hub, columns)
    with raw.partial(definition[:16]) as folder:
        past = raw.remembered(definition, every_byte=False)
        commit = hub.commit()
        if past is not None and past[0].revision == commit:
            receipt = raw.find(past[0].digest)
            if receipt is not None:
                return receipt
        listed = hub.matching_files(commit)
        origin = f"{hub.page}/tree/{commit}"
        if not upstream.stream:
            obtained = _whole_files(hub, raw, commit, folder, listed, progress)
            return raw.keep(obtained, origin, definition, revision=commit)

        from tasks.download.hub_stream import Stream

        kept = _kept(upstream, columns)
        stream = Stream(hub, raw, commit, folder, columns)
        obtained = stream.parts(listed, raw.streams(kept), progress)
        if stream.is_cut:
            origin += f" (the first {upstream.max_rows:,} rows)"
        return raw.keep(obtained, origin, definition, revision=commit, kept=kept)


def check_hub(
    upstream: HubUpstream,
    raw: RawFolder,
    patience: Patience,
    columns: Sequence[str] | None = None,
) -> Checked:
    """How the repository stands to what the lake holds of it; nothing is downloaded or written.

    One request where the commit is the same, and a listing where it is not: files that do not
    match may be all that changed. `columns` as for `fetch_hub`, whose errors these are.
    """
    hub = Repository.open(raw.source, upstream, patience)
    past = raw.remembered(definition_of(hub, columns), every_byte=False)
    commit = hub.commit()
    now = f"commit {commit[:SHOWN_COMMIT_CHARS]}…"
    asked = int(commit != upstream.revision)
    if past is not None and past[0].revision == commit:
        return Checked(source=raw.source, state=State.UNCHANGED, detail=now, requests=asked)
    listed = hub.matching_files(commit)
    if past is None:
        total_bytes = sum(file.size for file in listed)
        detail = f"{now}, {counted(len(listed))} of {total_bytes:,} bytes"
        return Checked(source=raw.source, state=State.NEW, detail=detail, requests=asked + 1)
    told = _differences(past[0], listed, hub)
    state = State.CHANGED if told else State.UNCHANGED
    then = f"commit {(past[0].revision or '')[:SHOWN_COMMIT_CHARS]}…"
    detail = f"{then} now {now.removeprefix('commit ')}: {told or 'none of its files differs'}"
    return Checked(source=raw.source, state=state, detail=detail, requests=asked + 1)


def head_hub(hub: Repository, max_bytes: int, folder: Path) -> tuple[Path, bool]:
    """The first matching file's first bytes below `folder`, under the name a receipt would have.

    Of Parquet its first rows, as a Parquet file. The second value says that the file was cut, so
    that its last record may end in the middle; rows are never cut. Raises what `fetch_hub` does.
    """
    commit = hub.commit()
    first = hub.matching_files(commit)[0]
    path = folder / kept_name(PurePosixPath(first.path))
    path.parent.mkdir(parents=True, exist_ok=True)
    if PurePosixPath(first.path).suffix.lower() == PARQUET:
        from tasks.download.hub_stream import write_first_rows

        write_first_rows(hub, first, commit, max_bytes, path)
        return path, False
    path.write_bytes(hub.read(first, commit, 0, min(max_bytes, first.size)))
    return path, max_bytes < first.size


def definition_of(hub: Repository, columns: Sequence[str] | None) -> str:
    """The digest by which downloads are remembered: where they are from, and what is wanted."""
    upstream = hub.upstream
    wanted: list[object] = ["hub", hub.endpoint, upstream.repo, list(upstream.files)]
    return digest_of([*wanted, _kept(upstream, columns)] if upstream.stream else wanted)


def _kept(upstream: HubUpstream, columns: Sequence[str] | None) -> str:
    """The digest of what a stream keeps of a file."""
    names = None if columns is None else sorted(set(columns))
    return digest_of(["stream", upstream.max_rows, names])


def _whole_files(
    hub: Repository,
    raw: RawFolder,
    commit: str,
    folder: Path,
    listed: Sequence[RepoFile],
    progress: Progress | None,
) -> list[Obtained]:
    """Every file, from the lake where it is there by any name."""
    names = unique_names(kept_name(PurePosixPath(file.path)) for file in listed)
    known = _files_by_identity(raw, {etag(file) for file in listed})
    missing = [file for file in listed if etag(file) not in known]
    raw.check_space(sum(file.size for file in missing) - _bytes_below(folder))
    tally = Tally(progress, {name: file.size for name, file in zip(names, listed, strict=True)})
    obtained: list[Obtained] = []
    for name, one in zip(names, listed, strict=True):
        url = shown(hub.url(one, commit))
        if etag(one) in known:
            sha256, key = known[etag(one)]
            file = RawFile(name=name, sha256=sha256, size_bytes=one.size, url=url, etag=etag(one))
            obtained.append(Obtained(file, key=key))
            tally.at(name, one.size)
            continue
        path = folder / digest_of([one.path, etag(one)])[:32]
        sha256 = hub.download(one, commit, path, partial(tally.at, name))
        tally.at(name, one.size)
        file = RawFile(name=name, sha256=sha256, size_bytes=one.size, url=url, etag=etag(one))
        obtained.append(Obtained(file, path=path))
    return obtained


def _files_by_identity(raw: RawFolder, wanted: Set[str]) -> dict[str, tuple[str, str]]:
    """The digest and the key of the wanted files that are in the lake, by what the Hub calls them.

    That is the digest itself, or the id of a git object, which only the Hub gives as an ETag. Of
    these files, and of no others, every byte was looked at.
    """
    known: dict[str, tuple[str, str]] = {}
    for receipt in raw.receipts():
        for file in receipt.files:
            missing = wanted & _identities(file) - known.keys()
            key = raw.key_of(receipt.digest, file.name)
            if missing and raw.lake.is_intact(key, file.sha256):
                known |= dict.fromkeys(missing, (file.sha256, key))
    return known


def _identities(file: RawFile) -> set[str]:
    """What the Hub may call the bytes of a file."""
    if file.rows is None and file.etag is not None and GIT_ID.fullmatch(file.etag):
        return {file.sha256, file.etag}
    return {file.sha256}


def _differences(past: Remembered, listed: Sequence[RepoFile], hub: Repository) -> str:
    """How many of the matching files differ, are new, are gone; empty where none does."""
    then = {_path_in(file.url or ""): file.etag for file in past.files}
    now = {_path_in(shown(hub.url(file, past.revision or ""))): etag(file) for file in listed}
    rows = sum(file.rows or 0 for file in past.files)
    if hub.upstream.max_rows is not None and rows >= hub.upstream.max_rows:
        now = dict(list(now.items())[: len(then)])  # the others were not looked at then
    differ = sum(now[path] != then[path] for path in now.keys() & then.keys())
    counts = {
        f"of {len(now):,} files differ": differ,
        "are new": len(now.keys() - then.keys()),
        "are gone": len(then.keys() - now.keys()),
    }
    return ", ".join(f"{count:,} {what}" for what, count in counts.items() if count)


def _path_in(url: str) -> str:
    """A file's path in its repository, as its URL spells it."""
    return url.partition("/resolve/")[2].partition("/")[2]


def _bytes_below(folder: Path) -> int:
    """Bytes of all files below a folder that may not exist."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
