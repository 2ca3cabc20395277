"""The command line. ``main`` holds the commands; each command's work is in a module of its own."""
