"""The rules of production for a test: durations and sizes in proportion."""

import re

_DURATION = re.compile(r"(?<=[\[:])(\d+)([mhd])(?=[\]:])|(?:(?<=for: )|(?<=offset ))(\d+)([mhd])\b")
"""Ranges, `for:` and `offset`."""
_SECONDS = re.compile(r"(\d+) \* (60|3600|86400)\b")
_GIB_OF_DISK = re.compile(r"^.*pegcount_disk_free_bytes.*$", re.MULTILINE)
_MS = {"m": 60_000, "h": 3_600_000, "d": 86_400_000}


def faster(rules: str, times: int) -> str:
    """Returns rules whose ranges, waits and seconds are shorter by a factor."""

    def shorter(match: re.Match[str]) -> str:
        number, unit = match[1] or match[3], match[2] or match[4]
        return f"{int(number) * _MS[unit] // times}ms"

    return _SECONDS.sub(rf"\1 * \2 / {times}", _DURATION.sub(shorter, rules))


def younger_habit(rules: str) -> str:
    """Returns rules in which the habit of a source is that of an hour ago, in place of yesterday."""
    return rules.replace("offset 1d", "offset 1h")


def smaller_disk(rules: str) -> str:
    """Returns rules in which MiB take the place of the GiB of a disk."""
    return _GIB_OF_DISK.sub(lambda line: line[0].replace("1024 ^ 3", "1024 ^ 2"), rules)
