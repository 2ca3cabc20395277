"""Measurements on your own footage: ``python -m evals.half FOLDER`` and ``python -m evals.cross FOLDER``."""
