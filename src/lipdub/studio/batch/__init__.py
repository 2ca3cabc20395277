"""Many dubs by one command: a jobs file is read, every job is checked, and then they are made one after the other.

``job_table`` and ``clip_folder`` read rows, ``jobs`` makes requests of them, ``check`` finds what is wrong before the
first job is begun, ``run`` makes the films in processes of their own (``runner``, ``runners``), ``state`` remembers
what is done, ``summary`` tells it.
"""
