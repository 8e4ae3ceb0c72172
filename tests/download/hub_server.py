"""A stand-in for the Hugging Face Hub that huggingface_hub talks to over real HTTP: reading only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from tests.download.server import Answer, File, Request, Server


@dataclass(frozen=True)
class Commit:
    """One commit: its files by path; those in `lfs` are stored as LFS objects."""

    sha: str
    files: Mapping[str, bytes]
    lfs: frozenset[str] = frozenset()


class Hub:
    """Dataset repositories on a misbehaving server."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def publish(self, repo: str, commit: Commit, branch: str = "main") -> None:
        """Make a commit the newest one of a branch."""
        info = {"_id": "0", "id": repo, "sha": commit.sha}
        self.answer(f"/api/datasets/{repo}/revision/{branch}", info)
        tree = [_entry(commit, path) for path in commit.files]
        folders = {path.rsplit("/", 1)[0] for path in commit.files if "/" in path}
        tree += [{"type": "directory", "oid": "0" * 40, "path": path} for path in folders]
        self.answer(f"/api/datasets/{repo}/tree/{commit.sha}", tree)
        for path, body in commit.files.items():
            etag = _etag(commit, path)
            file = File(body, f'"{etag}"', headers={"X-Repo-Commit": commit.sha})
            self.server.answer(f"/datasets/{repo}/resolve/{commit.sha}/{path}", file)

    def answer(self, path: str, value: Any) -> None:
        """Let a path answer a JSON value."""
        headers = {"Content-Type": "application/json"}
        self.server.answer(path, Answer(body=json.dumps(value).encode(), headers=headers))

    def refuse(self, path: str, status: int, code: str, **headers: str) -> None:
        """Let a path answer an error, as the Hub marks it."""
        self.server.answer(path, Answer(status, headers={"X-Error-Code": code, **headers}))

    def asked(self) -> list[str]:
        """Method and path of every request since the last time, without queries."""
        asked = [_line(request) for request in self.server.requests]
        self.server.requests.clear()
        return asked


def _line(request: Request) -> str:
    return f"{request.method} {unquote(request.path.partition('?')[0])}"


def _etag(commit: Commit, path: str) -> str:
    body = commit.files[path]
    if path in commit.lfs:
        return hashlib.sha256(body).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(body) + body).hexdigest()


def _entry(commit: Commit, path: str) -> dict[str, Any]:
    size = len(commit.files[path])
    entry: dict[str, Any] = {"type": "file", "oid": _etag(commit, path), "size": size, "path": path}
    if path in commit.lfs:
        entry["oid"] = "f" * 40
        entry["lfs"] = {"oid": _etag(commit, path), "size": size, "pointerSize": 130}
    return entry
