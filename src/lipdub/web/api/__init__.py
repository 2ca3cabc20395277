"""The calls of the API: one module for each kind of thing. ``shapes`` is what goes in and out."""
