"""The nodes, and what they are made of.

``extension`` and ``nodes`` are what ComfyUI sees · ``host`` is the only module that imports ComfyUI · ``choices`` are
the values of the lists in nodes · ``places`` where files lie · ``sound`` AUDIO as a file · ``run_child`` starts lipdub
in a process of its own, which runs ``child`` · ``stage_progress`` one bar for all stages · ``problems`` errors.

**Why a process of its own.** ComfyUI's Python holds torch, its models and the libraries of every other node; lipdub
needs PyAV 18, its own ONNX and LiteRT runtimes, and for one engine torch and diffusers of certain versions. In one
process one of both would have to give way; in two, lipdub may even live in an environment of its own
(``LIPDUB_PYTHON``). A process gives back all memory when it ends, that of the GPU included; it can be stopped in the
middle of anything; and if it crashes, ComfyUI goes on. It costs the start of a Python, about one second. What is
analysed and rendered is kept in lipdub's cache and in the project, so that the next process goes on where the last
ended.

The request goes to the child's standard input as one line of JSON. The pipe stays open as a lifeline: when it closes,
because the user cancelled or because ComfyUI is gone, the child stops. Progress and the result come back from its
standard output, one JSON object a line; whatever libraries print goes to a log file.
"""
