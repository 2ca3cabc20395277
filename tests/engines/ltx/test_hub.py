"""Downloads need consent, show size, licence and digest, and are checked. The hub in these tests is a fake."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from lipdub.engines.ltx.hub import DownloadOffer, HubFile, HuggingFaceHub, fetch, fetch_all
from lipdub.engines.ltx.published import CHECKPOINT, DUBIT, TEXT_ENCODER, UPSAMPLER
from lipdub.errors import WeightsError


class FakeHub:
    """A hub with one repository; if ``damaged``, the files differ from their digests."""

    def __init__(self, contents: dict[str, bytes], damaged: bool = False, bytes_: int | None = None) -> None:
        self.contents, self.damaged, self.bytes, self.sent = contents, damaged, bytes_, []

    def files(self, repo: str) -> list[HubFile]:
        return [
            HubFile(name, self.bytes or len(data), hashlib.sha256(data).hexdigest())
            for name, data in self.contents.items()
        ]

    def download(self, repo: str, name: str, folder: Path) -> Path:
        path = folder / name
        path.write_bytes(self.contents[name][::-1] if self.damaged else self.contents[name])
        self.sent.append(name)
        return path


LORA = {DUBIT.name: b"a lora", "README.md": b"read me"}


def test_size_licence_and_digest_are_shown_before_the_download(tmp_path):
    hub, offers = FakeHub(LORA), []

    def consent(offer: DownloadOffer) -> bool:
        assert hub.sent == []
        offers.append(offer.summary)
        return True

    assert fetch(DUBIT, tmp_path, consent, "owner/name", hub).read_bytes() == b"a lora"
    assert hub.sent == [DUBIT.name]
    for words in ("huggingface.co/owner/name", "6 bytes", "Community License", hashlib.sha256(b"a lora").hexdigest()):
        assert words in offers[0]


def test_nothing_is_downloaded_without_consent(tmp_path):
    hub = FakeHub(LORA)
    with pytest.raises(WeightsError, match="nobody agreed"):
        fetch(DUBIT, tmp_path, lambda offer: False, "owner/name", hub)
    assert hub.sent == []
    assert list(tmp_path.iterdir()) == []


def test_of_a_folder_weights_and_configuration_are_downloaded(tmp_path):
    names = ("config.json", "tokenizer.json", "model.safetensors", "README.md", "more/model.safetensors")
    hub = FakeHub(dict.fromkeys(names, b"0"))
    folder = fetch(TEXT_ENCODER, tmp_path, lambda offer: True, "owner/name", hub)
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors", "tokenizer.json"]


def test_files_are_found_under_any_of_their_names(tmp_path):
    old = dict.fromkeys((CHECKPOINT.also[0], UPSAMPLER.also[0], DUBIT.also[0], "config.json"), b"0")
    offers = []
    paths = fetch_all(tmp_path, lambda offer: bool(offers.append(offer)) or True, FakeHub(old))
    assert [p.name for p in paths] == [CHECKPOINT.also[0], UPSAMPLER.also[0], "Gemma-3-12B", DUBIT.also[0]]
    assert len(offers) == 4
    assert all(offer.repo.count("/") == 1 for offer in offers)
    both = {CHECKPOINT.also[0]: b"0", CHECKPOINT.name: b"1"}
    assert fetch(CHECKPOINT, tmp_path, lambda offer: True, hub=FakeHub(both)).name == CHECKPOINT.name


def test_unavailable_files_are_reported(tmp_path, monkeypatch):
    def yes(offer: DownloadOffer) -> bool:
        return True

    with pytest.raises(WeightsError, match="does not know in which repository the Dub-It LoRA lies"):
        fetch(replace(DUBIT, repo=None), tmp_path, yes, hub=FakeHub(LORA))
    with pytest.raises(WeightsError, match=r"it has other\.safetensors"):
        fetch(DUBIT, tmp_path, yes, "owner/name", FakeHub({"other.safetensors": b"0"}))
    with pytest.raises(WeightsError, match="no room"):
        fetch(DUBIT, tmp_path, yes, "owner/name", FakeHub(LORA, bytes_=10**18))
    with pytest.raises(WeightsError, match="not what the hub promised"):
        fetch(DUBIT, tmp_path, yes, "owner/name", FakeHub(LORA, damaged=True))
    assert not (tmp_path / DUBIT.name).exists()
    monkeypatch.setenv("LIPDUB_DOWNLOAD", "none")
    with pytest.raises(WeightsError, match="LIPDUB_DOWNLOAD=none"):
        fetch(DUBIT, tmp_path, yes, "owner/name", FakeHub(LORA))


class _Response:
    """The parts of an HTTP response that the hub's errors read."""

    headers: dict = {}  # noqa: RUF012
    status_code, request = 403, None


def _error(kind: str) -> Exception:
    errors = pytest.importorskip("huggingface_hub.errors")
    if kind == "LocalTokenNotFoundError":
        return errors.LocalTokenNotFoundError("no token")
    if kind == "OSError":
        return OSError("no network")
    return getattr(errors, kind)("refused", response=_Response())


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("GatedRepoError", r"accepted the licence.*Open https://huggingface.co/owner/name, accept.*hf auth login"),
        ("LocalTokenNotFoundError", "accept the licence, then log in"),
        ("RepositoryNotFoundError", "does not exist, or not for you"),
        ("HfHubHTTPError", "could not be reached"),
        ("OSError", "could not be reached"),
    ],
)
def test_errors_of_the_hub_say_what_to_do(kind, message, tmp_path, monkeypatch):
    hub_library = pytest.importorskip("huggingface_hub")

    def refuse(*_: object, **__: object) -> None:
        raise _error(kind)

    monkeypatch.setattr(hub_library.HfApi, "model_info", refuse)
    monkeypatch.setattr(hub_library, "hf_hub_download", refuse)
    with pytest.raises(WeightsError, match=message):
        fetch(DUBIT, tmp_path, lambda offer: True, "owner/name")
    with pytest.raises(WeightsError, match=message):
        HuggingFaceHub().download("owner/name", DUBIT.name, tmp_path)


def test_the_file_list_of_the_hub_is_read(monkeypatch):
    api = pytest.importorskip("huggingface_hub.hf_api")
    big = api.RepoSibling("a.safetensors", size=5, lfs=api.BlobLfsInfo(size=5, sha256="ab", pointer_size=1))
    info = type("ModelInfo", (), {"siblings": [big, api.RepoSibling("config.json", size=2)]})
    monkeypatch.setattr(api.HfApi, "model_info", lambda *_, **__: info)
    assert HuggingFaceHub().files("owner/name") == [HubFile("a.safetensors", 5, "ab"), HubFile("config.json", 2)]


def test_other_errors_are_not_changed(monkeypatch):
    api = pytest.importorskip("huggingface_hub.hf_api")

    def wrong(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(api.HfApi, "model_info", wrong)
    with pytest.raises(ZeroDivisionError):
        HuggingFaceHub().files("owner/name")
