"""The work that the studio does in the background: one row in SQLite for each job, done by processes of their own.

``job`` the values · ``database`` the file and its tables · ``table`` jobs and events · ``rows`` rows as values ·
``worker`` a process that does one job after the other · ``supervisor`` keeps workers running · ``kinds`` what a job of
each kind does · ``failure`` errors as they are kept · ``idempotency`` answers that are given again · ``webhooks`` and
``deliveries``: jobs that ended are told to addresses outside, of which ``webhook_address`` says which are allowed ·
``generation`` a job in the shape of another API.
"""
