"""Downloads the published files of LTX-2.3 from the Hugging Face hub, after the user was shown what they are.

Size, licence and SHA-256 are read from the hub first and shown. The download starts only with the user's consent, and
the files are checked against the digests. Gated files need an account that has accepted their licence: the error
message says how. This is tested with a fake hub and was never run against the real one.
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

_FOLDER_FILES = ("*.safetensors", "*.json", "tokenizer.model")


@dataclass(frozen=True, slots=True)
class HubFile:
    """One file of a repository: its ``name`` there, its size in ``bytes``, and ``sha256`` if the hub gives one (it does
    for large files)."""

    name: str
    bytes: int
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class DownloadOffer:
    """What would be downloaded: the ``files`` of ``repo`` that belong to ``published``, to the folder ``to``."""

    published: PublishedFile
    repo: str
    files: tuple[HubFile, ...]
    to: Path

    @property
    def bytes(self) -> int:
        """The size of all files together."""
        return sum(file.bytes for file in self.files)

    @property
    def summary(self) -> str:
        """Size, licence and digests, in lines for the user to read before the download."""
        lines = [
            f"{self.published.what} from huggingface.co/{self.repo}, {self.bytes / 1e9:.2f} GB, to {self.to}",
            f"licence: {self.published.licence}" + (", to be accepted on its page" if self.published.gated else ""),
            *(f"{f.name}: {f.bytes} bytes, SHA-256 {f.sha256 or 'not given by the hub'}" for f in self.files),
        ]
        return "\n".join(lines)


AskFetch = Callable[[DownloadOffer], bool]
"""Called before every download; True starts it."""


@runtime_checkable
class ModelHub(Protocol):
    """A site with repositories of model files."""

    def files(self, repo: str) -> list[HubFile]:
        """The files of ``repo`` (owner/name). Raises ``WeightsError`` if they cannot be listed."""
        ...

    def download(self, repo: str, name: str, folder: Path) -> Path:
        """Download one file into ``folder`` and return its path. Raises ``WeightsError`` if that fails."""
        ...


def fetch(
    published: PublishedFile, folder: Path, consent: AskFetch, repo: str = "", hub: ModelHub | None = None
) -> Path:
    """Download ``published`` into ``folder`` if ``consent`` returns True; returns the path of the file or folder.

    ``repo`` replaces the repository that is known for it. Raises ``WeightsError`` without consent, or if a file does
    not exist, is not accessible, does not fit on the disk or arrives damaged.
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
    offer = DownloadOffer(published, repo, _files_of(published, repo, hub.files(repo)), to)
    if not consent(offer):
        raise WeightsError(f"{published.what} was not downloaded, because nobody agreed to it", file=folder)
    to.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(to).free
    if free < offer.bytes:
        sizes = f"{offer.bytes / 1e9:.1f} GB are needed and {free / 1e9:.1f} GB are free"
        raise WeightsError(f"there is no room for {published.what}: {sizes}", file=to)
    paths = [_checked(hub.download(repo, file.name, to), file) for file in offer.files]
    return to if published.folder else paths[0]


def fetch_all(folder: Path, consent: AskFetch, hub: ModelHub | None = None) -> list[Path]:
    """Download everything that the engine needs into ``folder``, each item after consent. Raises as ``fetch`` does."""
    return [fetch(published, folder, consent, hub=hub) for published in LTX]


def _files_of(published: PublishedFile, repo: str, files: list[HubFile]) -> tuple[HubFile, ...]:
    """The files of ``repo`` that belong to ``published``: one file, or a folder's weights and configuration."""
    if published.folder:
        found = [f for f in files if any(fnmatch(f.name, kind) for kind in _FOLDER_FILES) and "/" not in f.name]
    else:
        by_name = {file.name: file for file in files}
        found = [by_name[name] for name in published.names if name in by_name][:1]
    if not found:
        others = ", ".join(f.name for f in files if f.name.endswith(".safetensors")) or "no weights"
        raise WeightsError(f"huggingface.co/{repo} has no {published.name}; it has {others}")
    return tuple(found)


def _checked(path: Path, file: HubFile) -> Path:
    """``path``, if its content is that of ``file``; otherwise it is deleted and ``WeightsError`` is raised."""
    with path.open("rb") as data:
        digest = hashlib.file_digest(data, "sha256").hexdigest()
    if path.stat().st_size != file.bytes or (file.sha256 and digest != file.sha256):
        path.unlink()
        raise WeightsError(f"what came is not what the hub promised (SHA-256 {digest})", file=path, remedy="Try again.")
    return path


class HuggingFaceHub:
    """The Hugging Face hub, with the user's own account, mirror and cache settings. Raises ``MissingExtra``."""

    def __init__(self) -> None:
        with MissingExtra.guard("ltx", "downloading from the Hugging Face hub"):
            import huggingface_hub
            from huggingface_hub import errors

        self._hub, self._errors = huggingface_hub, errors

    def files(self, repo: str) -> list[HubFile]:
        """The files of ``repo`` with sizes and digests."""
        try:
            info = self._hub.HfApi().model_info(repo, files_metadata=True)
        except Exception as error:
            raise self._refusal(repo, error) from error
        return [HubFile(one.rfilename, one.size or 0, one.lfs.sha256 if one.lfs else "") for one in info.siblings or []]

    def download(self, repo: str, name: str, folder: Path) -> Path:
        """Download one file; an interrupted download is continued."""
        try:
            return Path(self._hub.hf_hub_download(repo, name, local_dir=folder))
        except Exception as error:
            raise self._refusal(repo, error) from error

    def _refusal(self, repo: str, error: Exception) -> Exception:
        """A ``WeightsError`` for an error of the hub or the network; any other error unchanged."""
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
