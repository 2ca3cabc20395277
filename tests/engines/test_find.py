"""Engines by name."""

import pytest

from lipdub import plugins
from lipdub.engines import find
from lipdub.engines.seam import Engine
from lipdub.errors import OptionError


class _Point:
    name, value = "mine", "mine:Engine"

    def __init__(self, made):
        self._made = made

    def load(self):
        return self._made


def test_an_installed_engine_is_found(monkeypatch):
    from lipdub.engines.fake import FakeEngine

    monkeypatch.setattr(plugins, "entry_points", lambda group: [_Point(lambda setup: FakeEngine())])
    assert isinstance(find.find("mine"), Engine)
    assert find.names() == ("mine",)


def test_an_unknown_name_lists_what_is_there(monkeypatch):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [_Point(None)])
    with pytest.raises(OptionError, match=r"'yours'.*mine"):
        find.find("yours")


def test_something_else_under_the_name_is_refused(monkeypatch):
    monkeypatch.setattr(plugins, "entry_points", lambda group: [_Point(lambda setup: object())])
    with pytest.raises(OptionError, match="is no engine"):
        find.find("mine")
