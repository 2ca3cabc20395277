"""The studio: a page on your machine, its API, and the jobs behind it.

``server`` runs it (``lipdub studio``) · ``app`` puts it together · ``guard`` and ``keys`` who is let in ·
``operations`` the table of calls, ``api`` what they do, ``openapi`` and ``docs_page`` their document · ``problems``
errors as answers · ``places`` and ``project_list`` where projects are · ``uploads``, ``forms``, ``sources`` and
``probe_apart`` files that come in · ``edit_lines`` edits from pages · ``allowed`` what a request may name · ``work``
and ``jobs`` what is done behind it · ``media`` what a page plays · ``page`` the page itself.
"""
