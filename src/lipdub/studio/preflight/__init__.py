"""Before the stages: everything given is looked at, consent is asked for, and models are made ready.

``preflight`` a ``DubRequest`` in, a ``Job`` out · ``request_checks`` what can be wrong with options and speech ·
``fit_picture`` a picture as long as its dub track · ``output_names`` where all files go · ``consent`` of the people in
the footage · ``dry_run`` what would be done, in sentences.
"""
