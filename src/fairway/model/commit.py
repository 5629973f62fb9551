"""A commit and its neighbours, as reading Git shows them."""

from __future__ import annotations

from msgspec import Struct, field


class CommitFacts(Struct, frozen=True, kw_only=True):
    """What a build needs to know of a commit. Times in milliseconds UTC."""

    sha: str
    message: str
    author_name: str
    author_email: str
    authored: int
    committer_name: str
    committer_email: str
    committed: int
    parents: list[str] = field(default_factory=list)
    tree: str = ""

    @property
    def title(self) -> str:
        """The message's first line."""
        return self.message.split("\n", 1)[0].strip()


class TreeEntry(Struct, frozen=True, kw_only=True):
    """One name of a folder: `kind` is file | folder | link | submodule."""

    name: str
    path: str
    kind: str
    sha: str
    size: int | None = None
    executable: bool = False


class FileChange(Struct, frozen=True, kw_only=True):
    """One file of a difference: `status` is added | changed | deleted | renamed."""

    path: str
    status: str
    former: str = ""
    added: int = 0
    deleted: int = 0
    binary: bool = False
    patch: str = ""
    cut: bool = False  # the patch was longer than the limit


class Difference(Struct, frozen=True, kw_only=True):
    """What differs between two commits."""

    files: list[FileChange]
    cut: bool = False  # more files than the limit
