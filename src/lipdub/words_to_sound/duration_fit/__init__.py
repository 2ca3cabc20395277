"""Duration fit: spoken lines placed where the source speaks, at a natural pace.

In the order in which they are used: ``phrases`` the phrases and pauses of a spoken line · ``source_timing`` when the
source speaks each line · ``source_breaks`` where the text pauses with the source · ``separate_parts`` parts of a line
that are spoken one by one ·
``phrase_alignment`` which phrases go with which window of source speech · ``phrase_layout``
onsets of the phrases at one rate · ``rates`` the rate of each line · ``plan`` the placement of all lines, without
touching samples · ``sound_pieces`` a layout in whole samples · ``render`` a placement as sound · ``time_stretch``
faster or slower at the same pitch · ``respeak`` which lines the voice should speak again, faster, slower or shorter ·
``onset_errors`` how far the onsets are off.
"""
