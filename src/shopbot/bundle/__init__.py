"""Bundles: one signed archive that carries what a fleet of boxes shares, from the machine it is made on to each box.

``keys`` sign and are trusted, ``contents`` says what a bundle holds, ``archive`` is the file, ``building`` and
``installing`` make it and put it in force, ``golden`` judges it, ``shelf`` keeps the ones on this box.
"""
