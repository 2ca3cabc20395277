"""The suite that every engine passes, over the engines that ship."""

import pytest
from conformance import Conformance

from lipdub.engines.exemplar.engine import ExemplarEngine
from lipdub.engines.fake import FakeEngine


class TestFake(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return FakeEngine()


class TestExemplar(Conformance):
    @pytest.fixture(scope="class")
    @classmethod
    def engine(cls):
        return ExemplarEngine()
