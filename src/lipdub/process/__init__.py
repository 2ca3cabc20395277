"""This process and the programs it starts: how they end, and what reaches the terminal.

``child`` runs other programs and ends them with us · ``ending`` errors and signals to exit codes · ``visible`` text
without control characters.
"""
