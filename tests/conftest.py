"""Array shapes in signatures are checked while tests run."""

from jaxtyping import install_import_hook

install_import_hook("lipdub", "beartype.beartype")
