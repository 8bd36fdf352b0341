"""The HTTP service. ``from shopbot.server.app import create_app`` embeds it."""
