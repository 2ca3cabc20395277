"""Models that serve several jobs: made once for jobs whose options ask for the same ones."""

from dataclasses import dataclass

from lipdub import weights
from lipdub.studio.options import DubOptions
from lipdub.studio.tools import Tools

_Key = tuple[object, ...]


@dataclass(eq=False)
class SameTools:
    """Gives the tools for a job: those of the job before, if its options ask for the same models; else new ones.

    Only one set of models is in memory at a time. ``ask_download`` is asked before a model is downloaded.
    """

    ask_download: weights.AskDownload | None = None
    _key: _Key = ()
    _tools: Tools | None = None

    def for_options(self, options: DubOptions) -> Tools:
        """The tools for a job with ``options``."""
        key = (options.engine, options.weights, options.engine_option, options.prior, options.speech_features)
        if self._tools is None or key != self._key:
            self._tools, self._key = Tools(options, self.ask_download), key
        return self._tools
