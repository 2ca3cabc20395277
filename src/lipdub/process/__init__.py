"""This process and the programs it starts: how they end, and what may reach the terminal.

``child`` runs other programs and ends them with this one · ``exit_codes`` errors and signals as exit codes ·
``printable`` text without control characters.
"""
