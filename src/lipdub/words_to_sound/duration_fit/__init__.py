"""Putting spoken lines where the source speaks, in their room, at a natural pace.

``phrases`` what is spoken in a line, and its pauses · ``aims`` when the source speaks each line · ``anchors`` which
phrase begins with which window of the source · ``rates`` how fast each line is said · ``plan`` where every phrase goes
(no sound is touched) · ``stretch`` faster or slower at the same pitch · ``render`` a plan as sound · ``wishes`` what
should be spoken anew · ``check`` how far onsets are off · ``place`` all of it in order.
"""
