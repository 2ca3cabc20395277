"""Worker processes: they render cues and encode segments, as many at once as the machine has cores for.

``make_film`` a plan in, a film out · ``divide`` the segments of a film · ``segment_run`` what one worker does ·
``pool`` the processes.
"""
