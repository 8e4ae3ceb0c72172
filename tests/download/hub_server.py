"""A stand-in for the Hugging Face Hub that huggingface_hub talks to over real HTTP: reading only."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import pytest

from tests.download.server import Answer, File, Request, Server

SIGNATURE = "5191a7e5" * 8
"""What makes a URL of the storage as good as a key."""


@dataclass(frozen=True)
class Commit:
    """One commit: its files by path; those in `lfs` are stored as LFS objects."""

    sha: str
    files: Mapping[str, bytes]
    lfs: frozenset[str] = frozenset()


class Hub:
    """Dataset repositories on a misbehaving server, whose LFS objects lie on another host."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.storage = server.url.replace("127.0.0.1", "localhost")

    def publish(self, repo: str, commit: Commit, branch: str = "main") -> None:
        """Make a commit the newest one of a branch."""
        self.point(repo, commit.sha, branch)
        tree = [_entry(commit, path) for path in commit.files]
        folders = {path.rsplit("/", 1)[0] for path in commit.files if "/" in path}
        tree += [{"type": "directory", "oid": "0" * 40, "path": path} for path in folders]
        self.answer(f"/api/datasets/{repo}/tree/{commit.sha}", tree)
        for path, body in commit.files.items():
            etag = {"ETag": f'"{_etag(commit, path)}"', "X-Repo-Commit": commit.sha}
            where = f"/datasets/{repo}/resolve/{commit.sha}/{path}"
            if path in commit.lfs:
                self.server.answer(where, self._redirect(_etag(commit, path), etag))
                self.server.answer(f"/lfs/{_etag(commit, path)}", File(body))
            else:
                self.server.answer(where, File(body, headers=etag))

    def point(self, repo: str, sha: str, branch: str = "main") -> None:
        """Let a branch be at a commit."""
        info = {"_id": "0", "id": repo, "sha": sha}
        self.answer(f"/api/datasets/{repo}/revision/{branch}", info)

    def moved(self, path: str, new_path: str) -> None:
        """Let a path answer that what was there is elsewhere, as for a renamed repository."""
        self.server.answer(path, Answer(307, headers={"Location": quote(new_path)}))

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

    def _redirect(self, sha256: str, headers: Mapping[str, str]) -> Answer:
        """To a signed URL, and with the headers of a file that Xet could give too."""
        xet = {
            "X-Linked-Etag": headers["ETag"],
            "X-Xet-Hash": "e" * 64,
            "Link": f'<{self.server.url}/xet-read-token>; rel="xet-auth"',
        }
        where = f"{self.storage}/lfs/{sha256}?X-Amz-Signature={SIGNATURE}"
        return Answer(302, headers={**headers, **xet, "Location": where})


def hub_in_use(server: Server, environment: pytest.MonkeyPatch) -> Hub:
    """A Hub that the environment names, with no token and the network switched on."""
    environment.setenv("HF_ENDPOINT", f"{server.url}/")
    environment.setenv("NO_PROXY", "127.0.0.1,localhost")
    for name in ("HF_TOKEN", "HF_HUB_OFFLINE"):
        environment.delenv(name, raising=False)
    return Hub(server)


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
