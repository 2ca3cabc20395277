"""Archives of files depend on names and contents alone, and hold nothing that could be written elsewhere."""

import io
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lipdub.disk.bundle import files_below, read_bundle, write_bundle
from lipdub.errors import InputError

NAMES = st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="/"), min_size=1, max_size=20).filter(
    lambda name: name not in (".", "..") and ".part" not in name and len(name.encode()) < 100
)


@given(st.dictionaries(NAMES, st.binary(max_size=2000), min_size=1, max_size=5))
def test_files_come_back_as_they_were(tmp_path_factory: pytest.TempPathFactory, contents: dict[str, bytes]) -> None:
    folder = tmp_path_factory.mktemp("bundle")
    for name, data in contents.items():
        (folder / "in" / "deep").mkdir(parents=True, exist_ok=True)
        (folder / "in" / "deep" / name).write_bytes(data)
    first, again = io.BytesIO(), io.BytesIO()
    write_bundle(files_below(folder / "in"), first)
    for file in files_below(folder / "in").values():
        os.utime(file, (1, 1))
        file.chmod(0o600)
    write_bundle(files_below(folder / "in"), again)
    assert first.getvalue() == again.getvalue()
    (folder / "bundle").write_bytes(first.getvalue())
    read_bundle(folder / "bundle", lambda name: folder / "out" / name)
    assert {path.name: path.read_bytes() for path in files_below(folder / "out").values()} == contents


def test_what_could_be_written_elsewhere_is_refused(tmp_path: Path) -> None:
    for name, kind in (("../out", tarfile.REGTYPE), ("/out", tarfile.REGTYPE), ("link", tarfile.SYMTYPE)):
        with tarfile.open(tmp_path / "bundle", "w") as archive:
            member = tarfile.TarInfo(name)
            member.type = kind
            archive.addfile(member, io.BytesIO())
        with pytest.raises(InputError, match="may not be in it"):
            read_bundle(tmp_path / "bundle", lambda found: tmp_path / found)
    assert list(tmp_path.iterdir()) == [tmp_path / "bundle"]


def test_half_an_archive_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(bytes(5000))
    with (tmp_path / "whole").open("wb") as out:
        write_bundle({"a": tmp_path / "a"}, out)
    (tmp_path / "half").write_bytes((tmp_path / "whole").read_bytes()[:3000])
    with pytest.raises(InputError, match="damaged"):
        read_bundle(tmp_path / "half", lambda name: tmp_path / "out" / name)
    assert not (tmp_path / "out" / "a").exists()
