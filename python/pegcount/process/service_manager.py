"""What a server tells systemd, which started it by a unit with `Type=notify`.

The protocol is one datagram: https://www.freedesktop.org/software/systemd/man/latest/sd_notify.html. The
packages that speak it need the libraries of systemd, or are not kept up.
"""

import os
import socket

_ADDRESS = "NOTIFY_SOCKET"


def notify_service_manager(state: str) -> None:
    """Sends an assignment such as `READY=1`; without a service manager, or if it cannot be reached, nothing.

    A service manager that has gone must not end a server, and a lost message shows in the state of its unit.
    """
    address = os.environ.get(_ADDRESS, "")
    if not address.startswith(("/", "@")):
        return
    name = f"\0{address[1:]}" if address.startswith("@") else address
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notifications:
        notifications.setblocking(False)
        try:
            notifications.sendto(state.encode(), name)
        except OSError:
            return
