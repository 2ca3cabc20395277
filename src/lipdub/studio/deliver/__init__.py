"""Last stage: the finished speech is checked, the report is made, and all files appear together.

``deliver`` the stage: a ``Job``, a ``DubPlan``, its ``Take``s and a ``Film`` in, a ``Report`` out · ``asr_check`` the
speech is recognised again and compared with the words · ``credentials`` the film is signed · ``report`` everything that
is told about a dub.
"""
