"""How the film is written, from the user's options."""

from lipdub.media.mark import TAG
from lipdub.media.write import WriteOptions
from lipdub.studio.options import DubOptions, SpeechOptions


def write_options(options: DubOptions, speech: SpeechOptions) -> WriteOptions:
    """How the film is written; its metadata say that it is dubbed by AI."""
    return WriteOptions(
        codec=options.codec,
        crf=options.crf,
        preset=options.preset,
        hardware=options.hardware,
        keep_original_audio=options.keep_original_audio,
        overwrite=options.overwrite,
        metadata={TAG: "AI-dubbed: the lips and the voice were changed with lipdub"},
        language=options.language or speech.to or None,
    )
