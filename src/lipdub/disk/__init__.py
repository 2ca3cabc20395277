"""Files on the user's disk: names that nobody else has, files that appear complete, and what errors of the system mean.

``causes`` errors to sentences · ``hold`` files that tell whether who made them still runs · ``identity`` whether a file
is the same as before · ``json_text`` JSON that others wrote · ``manifest`` whether a folder holds what was put into it
· ``ordinary`` what is no pipe or device · ``publish`` outputs that appear together, last, or not at all · ``scratch``
temporary folders that later runs remove if a run was killed.
"""
