"""Files on this machine: hashed and copied in one pass, never linked, for their owner edits them.

What is read from a folder: regular files that a pattern matches, sorted by the parts of their
paths. Hidden files and folders are skipped, and so are linked folders, and documents (`README.md`)
unless a pattern is the very path of one; a matching link to a file is read where its target lies in
the same folder, and refused where it does not.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from schemas.errors import SourceChanged, SourceError, SourceMissing
from schemas.manifest import RawFile, RawReceipt
from schemas.upstream import LocalUpstream
from tasks.documents import EXACT_DOCUMENTS, is_document
from tasks.download.content import is_lfs_pointer
from tasks.download.names import is_hidden, kept_name, listing, unique_names
from tasks.download.progress import Progress, Tally
from tasks.download.raw import Obtained, RawFolder, check_pin
from tasks.lake import CHUNK_BYTES, digest_of, first_line


@dataclass(frozen=True)
class Found:
    """One file to read, and the name under which it is kept."""

    path: Path
    name: str
    status: os.stat_result


def fetch_local(
    upstream: LocalUpstream, raw: RawFolder, progress: Progress | None = None
) -> RawReceipt:
    """Copy a file, or the matching files of a folder, into the lake.

    Files that are in the lake already, with the same names and bytes, are read but not copied.

    Raises:
        SourceMissing: there is no such file or folder, or no file in it matches.
        SourceChanged: the file is not the one that is pinned, or changes while it is read.
        SourceError: a file cannot be read, or is a link that leaves the folder.
        StorageError: the lake cannot be written.
    """
    root = _root(upstream)
    definition = definition_of_local(upstream)
    found = find_local(upstream, raw)
    tally = Tally(progress, {one.name: one.status.st_size for one in found})
    past = raw.remembered(definition)
    if past is not None and _same_sizes(found, past[0].files):
        files = tuple(hashed(one, raw.source) for one in found)
        _check_pins(files, upstream, raw.source)
        if files == past[0].files:
            tally.all_there(files)
            return past[1]
    raw.check_space(sum(one.status.st_size for one in found))
    with raw.lake.scratch() as scratch:
        obtained = [
            _copied(one, scratch / str(position), raw.source, tally)
            for position, one in enumerate(found)
        ]
        _check_pins([one.file for one in obtained], upstream, raw.source)
        return raw.keep(obtained, str(root), definition)


def definition_of_local(upstream: LocalUpstream) -> str:
    """The digest by which copies of this path and these patterns are remembered."""
    return digest_of(["local", str(_root(upstream)), list(upstream.files)])


def find_local(upstream: LocalUpstream, raw: RawFolder) -> list[Found]:
    """The files to read, sorted; at least one (raises SourceMissing, SourceError)."""
    source = raw.source
    root = _root(upstream)
    status = _status(root, source)
    if stat.S_ISREG(status.st_mode):
        paths = [PurePosixPath(root.name)]
        folder = root.parent
    elif stat.S_ISDIR(status.st_mode):
        folder = root
        paths = _matching(root, upstream.files, raw)
        if upstream.sha256 is not None and len(paths) > 1:
            raise SourceError(
                f"source {source!r}: sha256 pins a single file, but {len(paths)} files of {root} "
                "match. Name the one file in local.path, or remove the pin."
            )
    else:
        raise SourceError(
            f"source {source!r}: {root} is neither a file nor a folder. Name a regular file."
        )
    names = unique_names(kept_name(path) for path in paths)
    return [
        Found(folder / path, name, _status(folder / path, source))
        for path, name in zip(paths, names, strict=True)
    ]


def _root(upstream: LocalUpstream) -> Path:
    return Path(upstream.path).expanduser().absolute()


def _matching(root: Path, patterns: Sequence[str], raw: RawFolder) -> list[PurePosixPath]:
    source = raw.source
    there = sorted(_files_below(root, raw), key=lambda path: path.parts)
    wanted = set().union(*(_glob(root, pattern, source) for pattern in patterns))
    matching = [
        path
        for path in there
        if path in wanted and (str(path) in patterns or not is_document(path.name))
    ]
    if not matching:
        raise SourceMissing(
            f"source {source!r}: no file in {root} matches {', '.join(map(repr, patterns))}. "
            f"{listing([str(path) for path in there])} Correct the path or its patterns. "
            f"{EXACT_DOCUMENTS}"
        )
    for path in matching:
        _check_link(root, path, source)
    return matching


def _files_below(root: Path, raw: RawFolder) -> Iterator[PurePosixPath]:
    """Every file below a folder but the hidden ones, and those of a lake that lies inside it."""

    def refuse(error: OSError) -> None:
        raise _unreadable(Path(error.filename or root), raw.source, error)

    for folder, folders, files in os.walk(root, onerror=refuse):
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".") and Path(folder, name) != raw.lake.folder
        ]
        for name in files:
            path = PurePosixPath(Path(folder, name).relative_to(root))
            if not is_hidden(path) and _is_file_or_link(root / path):
                yield path


def _is_file_or_link(path: Path) -> bool:
    mode = path.lstat().st_mode
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def _glob(root: Path, pattern: str, source: str) -> set[PurePosixPath]:
    """What a pattern matches; a last `**` means the files below, in every version of Python."""
    if PurePosixPath(pattern).name == "**":
        pattern = f"{pattern}/*"
    try:
        return {PurePosixPath(path.relative_to(root)) for path in root.glob(pattern)}
    except (ValueError, NotImplementedError) as error:
        raise SourceError(
            f"source {source!r}: local.files has the pattern {pattern!r}: {first_line(error)}. "
            "Give patterns relative to the folder, such as **/*.json."
        ) from None


def _check_link(root: Path, path: PurePosixPath, source: str) -> None:
    target = (root / path).resolve()
    if not target.is_relative_to(root.resolve()):
        raise SourceError(
            f"source {source!r}: {root / path} is a link out of the folder, to {target}. "
            f"Links that leave the folder are not followed: copy the files into it (cp -L), or "
            "name their own folder."
        )


def _status(path: Path, source: str) -> os.stat_result:
    try:
        return path.stat()
    except (FileNotFoundError, NotADirectoryError):
        raise SourceMissing(
            f"source {source!r}: {path} does not exist. {_near(path)} Correct local.path in the "
            f"source's file, or give a copy with --from {source}=PATH."
        ) from None
    except OSError as error:
        raise _unreadable(path, source, error) from error


def _near(path: Path) -> str:
    """What there is where a missing path was looked for."""
    if path.is_symlink():
        return f"It is a link to {os.readlink(path)}, which is not there."
    parent = next((above for above in path.parents if above.is_dir()), None)
    if parent is None or not os.access(parent, os.R_OK):
        return ""
    names = sorted(entry.name for entry in os.scandir(parent) if not entry.name.startswith("."))
    return f"Looked in {parent}. {listing(names)}"


def _unreadable(path: Path, source: str, error: OSError) -> SourceError:
    return SourceError(
        f"source {source!r}: {path} cannot be read: {error.strerror or error}. Give this user the "
        "right to read it, or name a copy."
    )


def _pointer(path: Path, source: str) -> SourceError:
    return SourceError(
        f"source {source!r}: {path} is a Git LFS pointer, expected data. Run `git lfs pull` in "
        "its repository, or name a copy of the file itself."
    )


def _same_sizes(found: Sequence[Found], files: Sequence[RawFile]) -> bool:
    return [(one.name, one.status.st_size) for one in found] == [
        (file.name, file.size_bytes) for file in files
    ]


def hashed(found: Found, source: str) -> RawFile:
    """A file with its digest, as a copy would have it (raises SourceChanged, SourceError)."""
    digest = hashlib.sha256()
    size_bytes = 0
    for chunk in _chunks(found, source):
        digest.update(chunk)
        size_bytes += len(chunk)
    return RawFile(name=found.name, sha256=digest.hexdigest(), size_bytes=size_bytes)


def _copied(found: Found, copy: Path, source: str, tally: Tally) -> Obtained:
    digest = hashlib.sha256()
    size_bytes = 0
    with copy.open("wb") as file:
        for chunk in _chunks(found, source):
            digest.update(chunk)
            file.write(chunk)
            size_bytes += len(chunk)
            tally.at(found.name, size_bytes)
    kept = RawFile(name=found.name, sha256=digest.hexdigest(), size_bytes=size_bytes)
    return Obtained(kept, path=copy)


def _chunks(found: Found, source: str) -> Iterator[bytes]:
    """The bytes of a file that stays as it is meanwhile (raises SourceChanged, SourceError)."""
    before = found.status
    size_bytes = 0
    try:
        with found.path.open("rb", buffering=0) as file:
            while size_bytes <= before.st_size and (chunk := file.read(CHUNK_BYTES)):
                if size_bytes == 0 and is_lfs_pointer(chunk):
                    raise _pointer(found.path, source)
                size_bytes += len(chunk)
                yield chunk
            after = os.fstat(file.fileno())
    except OSError as error:
        raise _unreadable(found.path, source, error) from error
    if (before.st_size, before.st_mtime_ns) != (size_bytes, after.st_mtime_ns):
        raise SourceChanged(
            f"source {source!r}: {found.path} changed while it was being read: "
            f"{after.st_size:,} bytes, expected {before.st_size:,}. Run it again once "
            "the file is written."
        )


def _check_pins(files: Sequence[RawFile], upstream: LocalUpstream, source: str) -> None:
    for file in files:
        check_pin(file, upstream.sha256, upstream.path, source)
