"""A Hub stand-in on loopback: enough of the real protocol for huggingface_hub to push and fetch.

It speaks create, auth-check, validate-yaml, preupload, LFS batch, commit, branch, tag, refs, tree, paths-info,
revision and resolve, keeps every commit whole, and fails on demand as the real one does. A model repository is known by its name, a
dataset repository as `datasets/<name>`.
"""

import base64
import contextlib
import hashlib
import json
import re
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qs

import huggingface_hub.constants
import huggingface_hub.utils._http
import pytest

from tests.http_server import Handler, Loopback

Files = dict[str, bytes]
LARGE = (".safetensors", ".parquet", ".arrow")
NO_COMMIT = "0" * 40
DROPPED = 0
"""As a status in `fail`: the connection is closed without an answer."""


class HubStandIn(Loopback):
    """Repositories in memory. `asked` is every request line, `commits` every commit in order."""

    def __init__(self, token: str = "hf_secret") -> None:
        super().__init__(_handler(self))
        self.token = token
        self.reader = "hf_reader"
        """a token that may read everything and write nothing"""
        self.asked: list[str] = []
        self.repos: dict[str, bool] = {}
        self.commits: dict[str, list[tuple[str, str, Files]]] = {}
        self.large: dict[str, bytes] = {}
        self.uploads: list[str] = []
        """SHA-256 of every large file that was sent, in order"""
        self.offered: list[str] = []
        """SHA-256 of every large file that it was asked about before, in order"""
        self.tags: dict[str, dict[str, str]] = {}
        self.branches: dict[str, dict[str, list[tuple[str, str, Files]]]] = {}
        """Of a repository those beside main, each with its commits in order, main's first ones included"""
        self.meanwhile: dict[str, Callable[[], None]] = {}
        """What happens before the next request whose line ends like this is answered"""
        self._faults: list[tuple[str, int, dict[str, str]]] = []

    def fail(self, pattern: str, *statuses: int, headers: dict[str, str] | None = None) -> None:
        """Answer the next requests whose line matches with these statuses, in turn."""
        self._faults += [(pattern, status, headers or {}) for status in statuses]

    def next_fault(self, line: str) -> tuple[int, dict[str, str]] | None:
        for index, (pattern, status, headers) in enumerate(self._faults):
            if re.search(pattern, line):
                del self._faults[index]
                return status, headers
        return None

    def line(self, repo: str, branch: str) -> list[tuple[str, str, Files]]:
        """The commits of a branch."""
        if branch == "main":
            return self.commits.get(repo, [])
        return self.branches[repo][branch]

    def files(self, repo: str, revision: str) -> Files | None:
        branches = self.branches.get(repo, {})
        if revision == "main" or revision in branches:
            past = self.line(repo, revision)
            return past[-1][2] if past else {}
        commits = [one for name in ("main", *branches) for one in self.line(repo, name)]
        if not commits and revision == NO_COMMIT:
            return {}
        revision = self.tags.get(repo, {}).get(revision, revision)
        return next((files for oid, _, files in commits if oid == revision), None)

    def head(self, repo: str, branch: str = "main") -> str:
        past = self.line(repo, branch)
        return past[-1][0] if past else NO_COMMIT

    def oid(self, repo: str, revision: str) -> str:
        """The commit that a branch or a tag names, or the revision itself."""
        if revision == "main" or revision in self.branches.get(repo, {}):
            return self.head(repo, revision)
        return self.tags.get(repo, {}).get(revision, revision)

    def commit(self, repo: str, lines: list[dict[str, Any]], branch: str = "main") -> str:
        files = dict(self.files(repo, branch) or {})
        for line in lines[1:]:
            key, value = line["key"], line["value"]
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        past = self.commits.setdefault(repo, []) if branch == "main" else self.line(repo, branch)
        oid = hashlib.sha1(repr((branch, len(past), sorted(files.items()))).encode()).hexdigest()
        past.append((oid, lines[0]["value"]["summary"], files))
        return oid


@contextlib.contextmanager
def hub_in_use(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubStandIn]:
    """A stand-in that huggingface_hub reaches, over plain HTTP and without waiting by itself."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_DISABLE_XET", True)
    hasty = SimpleNamespace(**vars(time) | {"sleep": lambda _: None})
    monkeypatch.setattr(huggingface_hub.utils._http, "time", hasty)
    with HubStandIn().running() as hub:
        yield hub
    huggingface_hub.close_session()


def _handler(hub: HubStandIn) -> type[Handler]:
    class StandIn(Handler):
        def serve(self) -> None:
            body = self._body()
            path = self.path.partition("?")[0]
            line = f"{self.command} {path}"
            hub.asked.append(line)
            for end in [end for end in hub.meanwhile if line.endswith(end)]:
                hub.meanwhile.pop(end)()
            fault = hub.next_fault(line)
            if fault and fault[0] == DROPPED:
                self.close_connection = True
                return
            if fault:
                self._answer(fault[0], {"error": "told to fail"}, fault[1])
            elif self._token() not in (hub.token, hub.reader) and "/lfs/" not in path:
                self._answer(401, {"error": "Invalid credentials"})
            elif self._token() == hub.reader and self._writes(path):
                self._answer(403, {"error": "Forbidden: a write token is needed"})
            else:
                self._route(path, body)

        def _token(self) -> str:
            return (self.headers.get("Authorization") or "").removeprefix("Bearer ")

        def _writes(self, path: str) -> bool:
            """Whether leave to write is needed: not to hear that a repository is missing."""
            wanted = re.fullmatch(r"/api/(models|datasets)/(.+)/auth-check/write", path)
            if wanted:
                return _key(*wanted.groups()) in hub.repos
            return path.endswith("/create") or re.search("/(commit|branch|tag)/", path) is not None

        def _body(self) -> bytes:
            if self.headers.get("Transfer-Encoding") != "chunked":
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))
            parts = []
            while size := int(self.rfile.readline(), 16):
                parts.append(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
            return b"".join(parts)

        def _route(self, path: str, body: bytes) -> None:
            whole = (
                (r"/api/repos/create", self._create),
                (r"/api/validate-yaml", self._validate),
                (r"/lfs/(\w+)", self._upload),
            )
            for pattern, action in whole:
                match = re.fullmatch(pattern, path)
                if match:
                    action(body, *match.groups())
                    return
            of_repo = (
                (r"/auth-check/write", self._allow),
                (r"/preupload/(\w+)", self._preupload),
                (r"\.git/info/lfs/objects/batch", self._batch),
                (r"/commit/(\w+)", self._commit),
                (r"/branch/(\w+)", self._branch),
                (r"/tag/(\w+)", self._tag),
                (r"/refs", self._refs),
                (r"/tree/(\w+).*", self._tree),
                (r"/paths-info/(\w+)", self._paths_info),
                (r"/revision/(\w+)", self._info),
                (r"/resolve/(\w+)/(.+)", self._resolve),
                (r"", self._info),
            )
            name = re.match(r"/(?:api/)?(?:(models|datasets)/)?([^/]+/[^/]+?)(?=/|\.git/|$)", path)
            for pattern, action in of_repo:
                match = name and re.fullmatch(pattern, path[name.end() :])
                if match:
                    action(body, _key(*name.groups()), *match.groups())
                    return
            self._answer(404, {"error": f"no such route: {path}"})

        def _create(self, body: bytes) -> None:
            asked = json.loads(body)
            name = f"{asked['organization']}/{asked['name']}"
            repo = _key(f"{asked.get('type', 'model')}s", name)
            if repo in hub.repos:
                known = {"error": "You already created this repo", "url": f"{hub.url}/{repo}"}
                self._answer(409, known)
                return
            hub.repos[repo] = asked.get("visibility") == "private" or bool(asked.get("private"))
            self._answer(200, {"url": f"{hub.url}/{repo}", "name": name})

        def _allow(self, body: bytes, repo: str) -> None:
            if repo in hub.repos:
                self._answer(200, {})
            else:
                self._answer(404, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"})

        def _validate(self, body: bytes) -> None:
            self._answer(200, {"errors": [], "warnings": []})

        def _preupload(self, body: bytes, repo: str, branch: str) -> None:
            there = hub.files(repo, branch) or {}
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(LARGE) else "regular",
                    "shouldIgnore": False,
                    "oid": _blob(file["path"], there[file["path"]])
                    if file["path"] in there
                    else None,
                }
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})

        def _batch(self, body: bytes, repo: str) -> None:
            hub.offered += [one["oid"] for one in json.loads(body)["objects"]]
            objects = [
                one
                if one["oid"] in hub.large
                else one | {"actions": {"upload": {"href": f"{hub.url}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})

        def _upload(self, body: bytes, oid: str) -> None:
            if hashlib.sha256(body).hexdigest() != oid:
                self._answer(400, {"error": "wrong content"})
                return
            hub.large[oid] = body
            hub.uploads.append(oid)
            self._answer(200, {})

        def _commit(self, body: bytes, repo: str, branch: str) -> None:
            lines = [json.loads(line) for line in body.splitlines()]
            head = hub.head(repo, branch)
            if lines[0]["value"].get("parentCommit", head) != head:
                self._answer(
                    412, {"error": "A commit has happened since. Please refresh and try again."}
                )
                return
            oid = hub.commit(repo, lines, branch)
            self._answer(200, {"commitUrl": f"{hub.url}/{repo}/commit/{oid}", "commitOid": oid})

        def _branch(self, body: bytes, repo: str, name: str) -> None:
            if name in hub.branches.setdefault(repo, {}):
                self._answer(409, {"error": "Reference already exists"})
                return
            hub.branches[repo][name] = list(hub.commits.get(repo, []))
            self._answer(200, {})

        def _tag(self, body: bytes, repo: str, revision: str) -> None:
            tag = json.loads(body)["tag"]
            if tag in hub.tags.setdefault(repo, {}):
                self._answer(409, {"error": "Tag reference exists already"})
                return
            hub.tags[repo][tag] = revision
            self._answer(200, {})

        def _refs(self, body: bytes, repo: str) -> None:
            main = {"name": "main", "ref": "refs/heads/main", "targetCommit": hub.head(repo)}
            tags = [
                {"name": tag, "ref": f"refs/tags/{tag}", "targetCommit": oid}
                for tag, oid in hub.tags.get(repo, {}).items()
            ]
            self._answer(200, {"branches": [main], "converts": [], "tags": tags})

        def _tree(self, body: bytes, repo: str, revision: str) -> None:
            files = hub.files(repo, revision) or {}
            self._answer(200, [_entry(name, content) for name, content in files.items()])

        def _paths_info(self, body: bytes, repo: str, revision: str) -> None:
            asked = parse_qs(body.decode()).get("paths", [])
            files = hub.files(repo, revision) or {}
            self._answer(200, [_entry(name, files[name]) for name in asked if name in files])

        def _info(self, body: bytes, repo: str, revision: str = "main") -> None:
            files = hub.files(repo, revision)
            if repo not in hub.repos or files is None:
                self._answer(404, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"})
                return
            sha = hub.oid(repo, revision)
            siblings = [{"rfilename": name} for name in files]
            about = {"id": repo.removeprefix("datasets/"), "sha": sha, "private": hub.repos[repo]}
            self._answer(200, about | {"siblings": siblings, "tags": []})

        def _resolve(self, body: bytes, repo: str, revision: str, name: str) -> None:
            content = (hub.files(repo, revision) or {}).get(name)
            if content is None:
                self._answer(404, {"error": "no file"}, {"X-Error-Code": "EntryNotFound"})
                return
            headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": hub.oid(repo, revision)}
            self._send(200, content, headers | {"Content-Type": "application/octet-stream"})

        def _answer(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
            given = {"Content-Type": "application/json"} | (headers or {})
            self._send(status, json.dumps(value).encode(), given)

        def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(content)

    return StandIn


def _key(kind: str | None, name: str) -> str:
    return f"datasets/{name}" if kind == "datasets" else name


def _entry(name: str, content: bytes) -> dict[str, Any]:
    entry = {"type": "file", "path": name, "size": len(content), "oid": _blob(name, content)}
    if name.endswith(LARGE):
        entry["lfs"] = {"oid": _oid(content), "size": len(content), "pointerSize": 134}
    return entry


def _blob(name: str, content: bytes) -> str:
    """What git keeps: a large file's content is its pointer."""
    kept = _oid(content).encode() if name.endswith(LARGE) else content
    return hashlib.sha1(b"blob %d\0" % len(kept) + kept).hexdigest()


def _oid(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
