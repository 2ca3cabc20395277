"""Content credentials (C2PA): a signed record in a file that says what was changed in it, when, and by whom.

``signing_key`` a private key with its certificates, checked · ``local_key`` the key that this machine makes for itself
· ``manifest`` what is said about a dub · ``sign`` writes it into a file, or beside it · ``read`` reads it back ·
``presence`` whether a film bears credentials. Nothing here uses a network.
"""
