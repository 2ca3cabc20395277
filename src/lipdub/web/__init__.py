"""The studio: a page on your machine, its API, and the jobs behind it."""
