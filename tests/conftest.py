"""Array shapes in signatures are checked while tests run; property tests draw the same examples every time."""

from hypothesis import settings
from jaxtyping import install_import_hook

install_import_hook("lipdub", "beartype.beartype")

settings.register_profile("house", deadline=None, max_examples=60, derandomize=True)
settings.load_profile("house")
