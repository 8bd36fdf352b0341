"""``python -m shopbot``: the command line, where the script ``shopbot`` is not on the path."""

from shopbot.cli import main

main(prog_name="shopbot")
