"""The way back to editing software: what a dub changed, as a cut that editing programs open.

``timecode`` SMPTE timecodes and frame numbers · ``edit_rate`` the rate of a timeline · ``cut_list`` the cut as values ·
``otio_timeline`` the cut as a timeline of OpenTimelineIO · ``write_timeline`` its files.
"""
