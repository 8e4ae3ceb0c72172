"""One dataset repository of the Hub and the version that goes there, step by step."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from huggingface_hub import (
    CommitOperationAdd,
    CommitOperationCopy,
    CommitOperationDelete,
    HfApi,
)
from huggingface_hub.errors import RemoteEntryNotFoundError, RepositoryNotFoundError
from huggingface_hub.hf_api import RepoFile
from pydantic import ValidationError

from schemas.errors import ConfigError, CorpusDamaged
from schemas.manifest import CorpusManifest, ShardRef, number_of
from tasks.corpora import to_json, version_key
from tasks.lake import Lake
from tasks.publish.places import for_others

MANIFEST, CARD = "manifest.json", "README.md"
PAGES = (CARD, "croissant.json")  # and not the report: it quotes rows that were dropped
DATASET = "dataset"

_GIVEN_BY_THE_HUB = {CARD, ".gitattributes"}

Operation = CommitOperationAdd | CommitOperationCopy | CommitOperationDelete


@dataclass(frozen=True)
class DatasetRepository:
    """One version and the repository that it goes to; each step may be made again."""

    api: HfApi
    lake: Lake
    version: CorpusManifest
    repo: str

    def open(self, private: bool) -> None:
        """Ask for leave to write; make the repository where it is missing.

        Making it alone would not tell: for one that is there it succeeds with any token.
        """
        try:
            self.api.auth_check(self.repo, repo_type=DATASET, write=True)
        except RepositoryNotFoundError:
            self.api.create_repo(self.repo, repo_type=DATASET, private=private, exist_ok=True)
        if private and self.api.dataset_info(self.repo).private is False:
            raise ConfigError(
                f"{self._page} is public, and the recipe says publish.private. Make it private in "
                "its settings, name another repository, or say publish.private: false."
            )

    def tagged(self) -> str | None:
        """The commit that is tagged with the version, if one is; raises ConfigError for another."""
        refs = self.api.list_repo_refs(self.repo, repo_type=DATASET)
        tags = {tag.name: tag.target_commit for tag in refs.tags}
        if self.version.version not in tags:
            return None
        there = self._manifest_at(self.version.version)
        if there is None or not self._is_ours(there):
            raise self._holds(f"another corpus as its tag {self.version.version}")
        return tags[self.version.version]

    def committed(self) -> str:
        """The commit of `main` that holds the version: the newest one if it does, else a new one.

        A new one fails with 412 where another came in between.

        Raises:
            ConfigError: the repository holds another corpus, or a later version of this one.
            CorpusDamaged: a shard is not the one that the manifest names.
        """
        head = str(self.api.dataset_info(self.repo, revision="main").sha)
        there = self._manifest_at(head)
        if there is not None and self._is_ours(there):
            return head
        self._check_succeeds(there)
        rows = f"{self.version.rows_out:,} rows, digest {self.version.digest}"
        info = self.api.create_commit(
            self.repo,
            list(self._operations(head, there)),
            commit_message=f"{self.version.name} {self.version.version}",
            commit_description=f"{rows}. Made by Winnow.",
            repo_type=DATASET,
            parent_commit=head,
        )
        return info.oid

    def tag(self, commit: str) -> str:
        """Tag a commit with the version's number; returns the commit."""
        self.api.create_tag(
            self.repo,
            tag=self.version.version,
            revision=commit,
            repo_type=DATASET,
            exist_ok=True,
        )
        return commit

    def _operations(self, head: str, old: CorpusManifest | None) -> Iterator[Operation]:
        """What turns the files at `head` into the version's: bytes that are there do not travel.

        `old` is the version that they are of, if they are of one.
        """
        there = {
            entry.path: entry.lfs.sha256 if entry.lfs is not None else None
            for entry in self.api.list_repo_tree(
                self.repo, recursive=True, revision=head, repo_type=DATASET
            )
            if isinstance(entry, RepoFile)
        }
        shards = self.version.shards
        pages = [page for page in self.version.pages if page.name in PAGES]
        new = {*(shard.uri for shard in shards), *(page.name for page in pages), MANIFEST}
        written = {shard.uri for shard in old.shards} if old is not None else set()
        strangers = sorted((new & there.keys()) - _GIVEN_BY_THE_HUB) if old is None else []
        if strangers:
            raise self._holds(f"{', '.join(strangers[:3])}, which Winnow did not write")
        yield from self._new_shards(shards, there, head)
        for page in pages:
            yield CommitOperationAdd(page.name, self._checked(page.name, page.sha256))
        yield CommitOperationAdd(MANIFEST, to_json(for_others(self.version)))
        for path in sorted((written & there.keys()) - new):
            yield CommitOperationDelete(path)

    def _new_shards(
        self, shards: Sequence[ShardRef], there: dict[str, str | None], head: str
    ) -> Iterator[Operation]:
        """The shards that are not at their place: copied where the bytes are elsewhere."""
        places = {sha256: path for path, sha256 in there.items() if sha256 is not None}
        for shard in shards:
            if there.get(shard.uri) == shard.sha256:
                continue
            if shard.sha256 in places:
                yield CommitOperationCopy(places[shard.sha256], shard.uri, src_revision=head)
            else:
                yield CommitOperationAdd(shard.uri, self._checked(shard.uri, shard.sha256))

    def _checked(self, name: str, sha256: str) -> Path:
        """A local file with the bytes of one of the version's; raises CorpusDamaged for others."""
        key = f"{version_key(self.version.name, self.version.version)}/{name}"
        found = self.lake.sha256(key, keep_copy=True)
        if found != sha256:
            raise CorpusDamaged(
                f"{self.lake.at(key)}: expected sha256 {sha256[:12]}…, found "
                f"{found[:12] + '…' if found else 'nothing'}. Restore it from a copy of the lake "
                "before the version is pushed."
            )
        return self.lake.local(key, sha256)

    def _check_succeeds(self, there: CorpusManifest | None) -> None:
        """Raise ConfigError unless what is there, if anything is, is an earlier version."""
        if there is None:
            return
        if there.name != self.version.name:
            raise self._holds(f"the corpus {there.name!r}")
        if number_of(there.version) >= number_of(self.version.version):
            raise self._holds(f"{there.version} of it already, digest {there.digest[:12]}…")

    def _manifest_at(self, revision: str) -> CorpusManifest | None:
        """The manifest of the version that a revision holds; None where it holds none."""
        with tempfile.TemporaryDirectory() as folder:
            try:
                path = self.api.hf_hub_download(
                    self.repo, MANIFEST, repo_type=DATASET, revision=revision, local_dir=folder
                )
            except RemoteEntryNotFoundError:
                return None
            try:
                return CorpusManifest.model_validate_json(Path(path).read_bytes())
            except ValidationError:
                raise self._holds(f"a {MANIFEST} that this Winnow does not read") from None

    def _is_ours(self, there: CorpusManifest) -> bool:
        ours = self.version
        return (there.name, there.version, there.digest) == (ours.name, ours.version, ours.digest)

    def _holds(self, what: str) -> ConfigError:
        return ConfigError(
            f"{self._page} holds {what}, so {self.version.name} {self.version.version} is not "
            "pushed there. Name another repository in publish.hub, or clear this one by hand."
        )

    @property
    def _page(self) -> str:
        return f"{self.api.endpoint}/datasets/{self.repo}"
