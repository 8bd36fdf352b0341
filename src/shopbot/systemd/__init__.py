"""shopbot as a service of systemd: the unit's text, how it gets there, and what the service tells systemd."""
