"""Keeps the numbers of standard input, output and error from files of the store."""

import os

_STANDARD_FILE_MAX = 2


def occupy_standard_files() -> None:
    """Opens `/dev/null` in place of each standard file that this process was started without.

    The next file that is opened would get its number, and whatever libraries print on standard error would
    go into a file of the store.
    """
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STANDARD_FILE_MAX:
        os.set_inheritable(number, True)
    os.close(number)
