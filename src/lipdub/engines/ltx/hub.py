"""Fetches a published file of LTX-2.3 from the Hugging Face hub, after the user was shown what it is.

Size, licence and SHA-256 are asked of the hub first and shown; only a yes starts the download, and what came is
checked against the digest. Gated files need an account that has accepted their licence: the refusal says how.
Written against huggingface_hub's interface and tested with a hub of our own making; never run against the real one.
"""

import hashlib
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Protocol, runtime_checkable

from lipdub.engines.ltx.published import LTX, PublishedFile
from lipdub.errors import MissingExtra, WeightsError

_OF_A_FOLDER = ("*.safetensors", "*.json", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository: its ``name`` there, size in ``bytes``, and ``sha256`` if the hub gives one (it does
    for big files)."""

    name: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class DownloadOffer:
    """What would be downloaded: the ``files`` of ``repo`` that are ``published``, ``to`` which folder."""

    published: PublishedFile
    repo: str
    files: tuple[HubFile, ...]
    to: Path

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def summary(self) -> str:
        """Size, licence and digests, a line each, for the user to read before saying yes."""
        lines = [
            f"{self.published.what} from huggingface.co/{self.repo}, {self.bytes / 1e9:.2f} GB, to {self.to}",
            f"licence: {self.published.licence}" + (", to be accepted on its page" if self.published.gated else ""),
            *(f"{f.name}: {f.bytes} bytes, SHA-256 {f.sha256 or 'not given by the hub'}" for f in self.files),
        ]
        return "\n".join(lines)


AskFetch = Callable[[DownloadOffer], bool]
"""Asked before every download; True means go on."""


@runtime_checkable
class ModelHub(Protocol):
    """Where published files lie."""

    def files(self, repo: str) -> list[HubFile]:
        """The files of ``repo`` (owner/name). Raises ``WeightsError`` if it cannot be looked at."""
        ...

    def download(self, repo: str, name: str, folder: Path) -> Path:
        """Download one file into ``folder``; its path. Raises ``WeightsError`` if that cannot be done."""
        ...


def fetch(published: PublishedFile, folder: Path, consent: AskFetch, repo: str = "", hub: ModelHub | None = None) -> Path:
    """Download ``published`` into ``folder`` if ``consent`` says yes; the path of the file, or of its folder.

    ``repo`` names the repository where lipdub does not know it, or another one. Raises ``WeightsError`` if the file
    is not there, may not be had, does not fit on the disk or came damaged.
    """
    repo = repo or published.repo or ""
    if not repo:
        raise WeightsError(
            f"lipdub does not know in which repository {published.what} lies", remedy="Name it as owner/name."
        )
    if os.environ.get("LIPDUB_DOWNLOAD") == "none":
        raise WeightsError(f"LIPDUB_DOWNLOAD=none forbids to fetch {published.what}", file=folder)
    hub = HuggingFaceHub() if hub is None else hub
    to = folder / Path(published.name).stem if published.folder else folder
    offer = DownloadOffer(published, repo, _wanted(published, repo, hub.files(repo)), to)
    if not consent(offer):
        raise WeightsError(f"{published.what} was not downloaded, because nobody agreed to it", file=folder)
    to.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(to).free
    if free < offer.bytes:
        told = f"{offer.bytes / 1e9:.1f} GB are wanted and {free / 1e9:.1f} GB are free"
        raise WeightsError(f"there is no room for {published.what}: {told}", file=to)
    paths = [_checked(hub.download(repo, file.name, to), file) for file in offer.files]
    return to if published.folder else paths[0]


def fetch_all(folder: Path, consent: AskFetch, hub: ModelHub | None = None) -> list[Path]:
    """Everything the engine needs, into ``folder``: each thing is shown, then asked for. Raises as ``fetch``."""
    return [fetch(published, folder, consent, hub=hub) for published in LTX]


def _wanted(published: PublishedFile, repo: str, files: list[HubFile]) -> tuple[HubFile, ...]:
    """The files of ``repo`` that are ``published``: that one, or for a folder its weights and settings."""
    if published.folder:
        found = [f for f in files if any(fnmatch(f.name, kind) for kind in _OF_A_FOLDER) and "/" not in f.name]
    else:
        there = {file.name: file for file in files}
        found = [there[name] for name in published.names if name in there][:1]
    if not found:
        others = ", ".join(f.name for f in files if f.name.endswith(".safetensors")) or "no weights"
        raise WeightsError(f"huggingface.co/{repo} has no {published.name}; it has {others}")
    return tuple(found)


def _checked(path: Path, file: HubFile) -> Path:
    """``path``, if it is ``file``; otherwise it is deleted and ``WeightsError`` raised."""
    with path.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    if path.stat().st_size != file.bytes or (file.sha256 and digest != file.sha256):
        path.unlink()
        raise WeightsError(f"what came is not what the hub promised (SHA-256 {digest})", file=path, remedy="Try again.")
    return path


class HuggingFaceHub:
    """The Hugging Face hub, with the user's own account, mirror and cache settings."""

    def __init__(self) -> None:
        with MissingExtra.guard("ltx", "downloading from the Hugging Face hub"):
            import huggingface_hub
            from huggingface_hub import errors

        self._hub, self._errors = huggingface_hub, errors

    def files(self, repo: str) -> list[HubFile]:
        """The files of ``repo`` with size and digest."""
        try:
            told = self._hub.HfApi().model_info(repo, files_metadata=True)
        except Exception as error:
            raise self._refusal(repo, error) from error
        return [HubFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "") for one in told.siblings or []]

    def download(self, repo: str, name: str, folder: Path) -> Path:
        """Download one file; what was begun is gone on with."""
        try:
            return Path(self._hub.hf_hub_download(repo, name, local_dir=folder))
        except Exception as error:
            raise self._refusal(repo, error) from error

    def _refusal(self, repo: str, error: Exception) -> Exception:
        """What to tell the user; an error that is not the hub's or the network's stays as it is."""
        page = f"https://huggingface.co/{repo}"
        if isinstance(error, (self._errors.GatedRepoError, self._errors.LocalTokenNotFoundError)):
            return WeightsError(
                f"{page} gives its files only to those who have accepted the licence",
                remedy=f"Open {page}, accept the licence, then log in with 'hf auth login' (or set HF_TOKEN).",
            )
        if isinstance(error, self._errors.RepositoryNotFoundError):
            return WeightsError(
                f"{page} does not exist, or not for you", remedy="Check its name, or log in with 'hf auth login'."
            )
        if isinstance(error, (self._errors.HFValidationError, self._errors.HfHubHTTPError, OSError)):
            return WeightsError(
                f"{page} could not be reached ({error})", remedy="Download it elsewhere and name the folder."
            )
        return error
