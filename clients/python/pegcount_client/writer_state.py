"""Where a writer of records is in its life, and the error that ended it early."""

from dataclasses import dataclass
from enum import Enum, auto

from pegcount_client.errors import PegcountError


class Stage(Enum):
    """The stages that a writer goes through, in this order."""

    NEW = auto()
    OPEN = auto()
    ENDING = auto()
    """The block has ended; what was written before is being sent. Only callbacks still write."""
    ENDED = auto()


@dataclass(slots=True)
class WriterState:
    """The stage of one writer, and the error of its stream."""

    stage: Stage = Stage.NEW
    failure: PegcountError | None = None

    def enter(self) -> None:
        """Begins the block; raises ValueError for a second time, whose figures would be those of both."""
        if self.stage is not Stage.NEW:
            raise ValueError("a writer has one block; next step: call write_records() for another writer")
        self.stage = Stage.OPEN

    def require_usable(self, *, is_callback: bool = False) -> None:
        """Raises the error that ended the writer, or ValueError if it takes no records now."""
        if self.failure is not None:
            raise self.failure
        if self.stage is Stage.NEW:
            raise ValueError(
                "a writer of records is used in a block: `with client.write_records() as writer:`"
            )
        if self.stage is Stage.ENDED or (self.stage is Stage.ENDING and not is_callback):
            raise ValueError(
                "the writer is ending or has ended, and takes records only in its block; next step: let the"
                " block wait for whoever writes, or call write_records() for another writer"
            )
