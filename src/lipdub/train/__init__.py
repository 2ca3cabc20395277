"""Trains what lipdub ships: ``prior`` (mouth shapes from speech features) and ``shapes`` (pooled mouth shapes).

``training_clip`` measures the clips for ``prior``.
"""
