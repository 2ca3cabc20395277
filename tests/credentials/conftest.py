"""Keys in a folder of the test, no network, and a skip where the packages are missing."""

import socket
import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent))


@pytest.fixture(autouse=True)
def packages() -> None:
    pytest.importorskip("c2pa", reason="content credentials need the extra credentials (c2pa-python)")
    pytest.importorskip("cryptography", reason="content credentials need the extra credentials (cryptography)")


@pytest.fixture(autouse=True)
def own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The key of this machine is one of the test."""
    monkeypatch.setenv("LIPDUB_CONFIG", str(tmp_path / "settings"))
    for name in ("LIPDUB_SIGN_KEY", "LIPDUB_SIGN_CERT"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path / "settings"


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object, **__: object) -> None:
        raise AssertionError("something asks the network")

    for name in ("connect", "connect_ex", "sendto"):
        monkeypatch.setattr(socket.socket, name, refused)
    monkeypatch.setattr(socket, "getaddrinfo", refused)
