"""A zone that knows whether a local time was read with it."""

from dataclasses import dataclass, field

from pegcount.zone import Zone


@dataclass(frozen=True, slots=True)
class TrackedZone(Zone):
    """A zone as an import uses it, whose files may state the UTC offset of all their times."""

    uses: list[None] = field(default_factory=list, compare=False, repr=False)
    """Has one element once a local time became an instant, and none before."""

    def instants_us(self, local_us: int) -> tuple[int, int]:
        """See `Zone`."""
        if not self.uses:
            self.uses.append(None)
        return Zone.instants_us(self, local_us)


def is_used(zone: Zone) -> bool:
    """Returns whether a tracked zone was used; others may have been."""
    return not isinstance(zone, TrackedZone) or zone.uses != []


def tracked(zone: Zone) -> TrackedZone:
    """Returns a zone that was not used yet."""
    return TrackedZone(zone.name, zone.change_us, zone.offset_s)
