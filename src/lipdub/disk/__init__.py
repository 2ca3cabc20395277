"""Files on the user's disk.

``atomic`` files of our own that appear complete · ``bundle`` several files as one · ``identity`` whether a file is the
same as before · ``json_text`` JSON that others wrote · ``lock_file`` files locked by a running process · ``manifest``
digests of the files in a folder · ``object_store`` files on a store that several machines reach · ``os_errors`` errors
of the system as sentences · ``publish`` outputs that appear together, complete, or not at all · ``regular_file``
refuses pipes and devices · ``temporary_folder`` temporary folders that do not outlive a killed run.
"""
