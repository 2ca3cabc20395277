"""Composing the output: ``patching`` mouth patches into frames · ``mix`` the dub over the clip's sound."""
