"""The way back to editing software: what a dub changed, as a cut that editing programs open.

``timecode`` SMPTE timecodes and frame numbers · ``edit_rate`` the rate of a timeline · ``cut_list`` the cut as values ·
``marks`` its lines as markers · ``otio_timeline`` ``edl`` ``fcp7_xml`` ``aaf`` the kinds of files · ``write_timeline``
which of them is written.
"""
