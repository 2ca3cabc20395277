"""The calls of the API: one module for each kind of thing. ``shapes`` and ``work_shapes`` are what goes in and out."""
