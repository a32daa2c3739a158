"""Names of this machine and of its people, for a viewer that is to hide them from the first line on."""

import os
import pwd
import socket

import psutil

from inspector.stream.text import decode

_FIRST_PERSON, _NOBODY = 1000, 65534
"""User ids of people, not of services (login.defs(5))."""
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


def names() -> dict[str, str]:
    """Name -> kind (`USER`, `HOST`, `ADDRESS`): people, their home folders, the host, its addresses."""
    host = decode(os.fsencode(os.uname().nodename))
    found = dict.fromkeys((host, host.split(".")[0]), "HOST")
    for person in pwd.getpwall():
        if _FIRST_PERSON <= person.pw_uid != _NOBODY:
            found[person.pw_name] = "USER"
            if person.pw_dir.startswith("/home/"):
                found[os.path.basename(person.pw_dir)] = "USER"
    for addresses in psutil.net_if_addrs().values():
        for address in addresses:
            text = address.address.split("%")[0]
            if address.family in _FAMILIES and not text.startswith("127.") and text != "::1":
                found[text] = "ADDRESS"
    return {name: kind for name, kind in found.items() if name}
