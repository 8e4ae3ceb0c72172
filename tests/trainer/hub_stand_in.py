"""A Hub stand-in on loopback: enough of the real protocol for huggingface_hub to push and fetch.

It speaks create, auth-check, validate-yaml, preupload, LFS batch, commit, tree, revision and resolve, keeps every
commit whole, and fails on demand as the real one does.
"""

import base64
import hashlib
import json
import re
from typing import Any

from tests.http_server import Handler, Loopback

Files = dict[str, bytes]
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

    def files(self, repo: str, revision: str) -> Files | None:
        commits = self.commits.get(repo, [])
        if revision == "main":
            return commits[-1][2] if commits else {}
        return next((files for oid, _, files in commits if oid == revision), None)

    def commit(self, repo: str, lines: list[dict[str, Any]]) -> str:
        files = dict(self.files(repo, "main") or {})
        for line in lines[1:]:
            key, value = line["key"], line["value"]
            if key == "file":
                files[value["path"]] = base64.b64decode(value["content"])
            elif key == "lfsFile":
                files[value["path"]] = self.large[value["oid"]]
            elif key == "deletedFile":
                del files[value["path"]]
        past = self.commits.setdefault(repo, [])
        oid = hashlib.sha1(repr((len(past), sorted(files.items()))).encode()).hexdigest()
        past.append((oid, lines[0]["value"]["summary"], files))
        return oid


def _handler(hub: HubStandIn) -> type[Handler]:
    class StandIn(Handler):
        def serve(self) -> None:
            body = self._body()
            path = self.path.partition("?")[0]
            line = f"{self.command} {path}"
            hub.asked.append(line)
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
            wanted = re.fullmatch(r"/api/models/(.+)/auth-check/write", path)
            return wanted[1] in hub.repos if wanted else path.endswith(("/create", "/commit/main"))

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
            routes = (
                (r"/api/repos/create", self._create),
                (r"/api/models/(.+)/auth-check/write", self._allow),
                (r"/api/validate-yaml", self._validate),
                (r"/api/models/(.+)/preupload/main", self._preupload),
                (r"/(.+)\.git/info/lfs/objects/batch", self._batch),
                (r"/lfs/(\w+)", self._upload),
                (r"/api/models/(.+)/commit/main", self._commit),
                (r"/api/models/(.+)/tree/(\w+).*", self._tree),
                (r"/api/models/(.+)/revision/(\w+)", self._info),
                (r"/(.+)/resolve/(\w+)/(.+)", self._resolve),
                (r"/api/models/([^/]+/[^/]+)", self._info),
            )
            for pattern, action in routes:
                match = re.fullmatch(pattern, path)
                if match:
                    action(body, *match.groups())
                    return
            self._answer(404, {"error": f"no such route: {path}"})

        def _create(self, body: bytes) -> None:
            asked = json.loads(body)
            repo = f"{asked['organization']}/{asked['name']}"
            if repo in hub.repos:
                known = {"error": "You already created this repo", "url": f"{hub.url}/{repo}"}
                self._answer(409, known)
                return
            hub.repos[repo] = asked.get("visibility") == "private" or bool(asked.get("private"))
            self._answer(200, {"url": f"{hub.url}/{repo}", "name": repo})

        def _allow(self, body: bytes, repo: str) -> None:
            if repo in hub.repos:
                self._answer(200, {})
            else:
                self._answer(404, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"})

        def _validate(self, body: bytes) -> None:
            self._answer(200, {"errors": [], "warnings": []})

        def _preupload(self, body: bytes, repo: str) -> None:
            files = [
                {
                    "path": file["path"],
                    "uploadMode": "lfs" if file["path"].endswith(".safetensors") else "regular",
                    "shouldIgnore": False,
                }
                for file in json.loads(body)["files"]
            ]
            self._answer(200, {"files": files})

        def _batch(self, body: bytes, repo: str) -> None:
            objects = [
                one | {"actions": {"upload": {"href": f"{hub.url}/lfs/{one['oid']}"}}}
                for one in json.loads(body)["objects"]
            ]
            self._answer(200, {"transfer": "basic", "objects": objects})

        def _upload(self, body: bytes, oid: str) -> None:
            if hashlib.sha256(body).hexdigest() != oid:
                self._answer(400, {"error": "wrong content"})
                return
            hub.large[oid] = body
            self._answer(200, {})

        def _commit(self, body: bytes, repo: str) -> None:
            lines = [json.loads(line) for line in body.splitlines()]
            oid = hub.commit(repo, lines)
            self._answer(200, {"commitUrl": f"{hub.url}/{repo}/commit/{oid}", "commitOid": oid})

        def _tree(self, body: bytes, repo: str, revision: str) -> None:
            files = hub.files(repo, revision) or {}
            self._answer(
                200,
                [
                    {"type": "file", "path": name, "size": len(content), "oid": _oid(content)}
                    for name, content in files.items()
                ],
            )

        def _info(self, body: bytes, repo: str, revision: str = "main") -> None:
            files = hub.files(repo, revision)
            if repo not in hub.repos or files is None:
                self._answer(404, {"error": "not found"}, {"X-Error-Code": "RepoNotFound"})
                return
            past = hub.commits.get(repo, [])
            sha = revision if revision != "main" else (past[-1][0] if past else "0" * 40)
            siblings = [{"rfilename": name} for name in files]
            self._answer(200, {"id": repo, "sha": sha, "siblings": siblings, "tags": []})

        def _resolve(self, body: bytes, repo: str, revision: str, name: str) -> None:
            content = (hub.files(repo, revision) or {}).get(name)
            if content is None:
                self._answer(404, {"error": "no file"}, {"X-Error-Code": "EntryNotFound"})
                return
            headers = {"ETag": f'"{_oid(content)}"', "X-Repo-Commit": revision}
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


def _oid(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
