"""What a service tells systemd about itself: one datagram to the socket that systemd names (sd_notify)."""

from __future__ import annotations

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Tell ``READY=1`` or ``STOPPING=1``. Nothing happens where nobody asked to be told."""
    address = os.environ.get("NOTIFY_SOCKET", "")
    if not address.startswith(("/", "@")):
        return
    if address.startswith("@"):
        address = f"\0{address[1:]}"
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notified:
        notified.sendto(state.encode(), address)
