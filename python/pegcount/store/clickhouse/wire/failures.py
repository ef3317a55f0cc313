"""What the errors of ClickHouse mean to a caller: one table from its codes to ours."""

from collections.abc import Callable, Mapping
from typing import Final

from pegcount.errors import (
    DataDamagedError,
    DeadlineError,
    MemoryLimitError,
    OverloadedError,
    PegcountError,
    ShardFaultError,
    StoreUnavailableError,
    WriteFateUnknownError,
)

RETRY_SECONDS: Final = 1.0
"""Seconds after which a server that did not answer is worth another call."""

_Failure = Callable[[str], PegcountError]


def _unavailable(cause: str) -> _Failure:
    return lambda shard: StoreUnavailableError(f"{shard} {cause}", RETRY_SECONDS)


def _overloaded(cause: str) -> _Failure:
    return lambda shard: OverloadedError(f"{shard} {cause}", RETRY_SECONDS)


def _damaged(shard: str) -> PegcountError:
    return DataDamagedError(f"{shard} has damaged data", file=shard)


def _lost(shard: str) -> PegcountError:
    text = f"{shard} has lost a table of the store: its operator has to restore it"
    return DataDamagedError(text, file=shard)


def _not_let_in(shard: str) -> PegcountError:
    text = f"{shard} does not accept the user or the password that this server has for it"
    return StoreUnavailableError(text, RETRY_SECONDS)


def _too_late(shard: str) -> PegcountError:
    return DeadlineError(f"{shard} did not end in the time that it may run")


def _out_of_memory(shard: str) -> PegcountError:
    return MemoryLimitError(f"{shard} has not the memory for this at present", scope="server", shard=shard)


_NO_REPLICAS = _unavailable("lacks other replicas of its records, or their coordination, at present")
_NETWORK = _unavailable("lost a connection that it needs")
_BUSY = _unavailable("runs as many queries as it may")
_STOPPED = _unavailable("stopped the query")
_DISK = _unavailable("cannot use its disk at present")

FAILURES: Final[Mapping[int, tuple[str, _Failure]]] = {
    3: ("UNEXPECTED_END_OF_FILE", _NETWORK),
    32: ("ATTEMPT_TO_READ_AFTER_EOF", _NETWORK),
    33: ("CANNOT_READ_ALL_DATA", _DISK),
    40: ("CHECKSUM_DOESNT_MATCH", _damaged),
    60: ("UNKNOWN_TABLE", _lost),
    74: ("CANNOT_READ_FROM_FILE_DESCRIPTOR", _DISK),
    75: ("CANNOT_WRITE_TO_FILE_DESCRIPTOR", _DISK),
    76: ("CANNOT_OPEN_FILE", _DISK),
    77: ("CANNOT_CLOSE_FILE", _DISK),
    81: ("UNKNOWN_DATABASE", _lost),
    87: ("CANNOT_SEEK_THROUGH_FILE", _DISK),
    159: ("TIMEOUT_EXCEEDED", _too_late),
    160: ("TOO_SLOW", _too_late),
    172: ("CANNOT_CREATE_DIRECTORY", _DISK),
    173: ("CANNOT_ALLOCATE_MEMORY", _out_of_memory),
    192: ("UNKNOWN_USER", _not_let_in),
    193: ("WRONG_PASSWORD", _not_let_in),
    194: ("REQUIRED_PASSWORD", _not_let_in),
    198: ("DNS_ERROR", _NETWORK),
    202: ("TOO_MANY_SIMULTANEOUS_QUERIES", _BUSY),
    203: ("NO_FREE_CONNECTION", _BUSY),
    204: ("CANNOT_FSYNC", _DISK),
    209: ("SOCKET_TIMEOUT", _NETWORK),
    210: ("NETWORK_ERROR", _NETWORK),
    214: ("CANNOT_STATVFS", _DISK),
    225: ("NO_ZOOKEEPER", _NO_REPLICAS),
    226: ("NO_FILE_IN_DATA_PART", _damaged),
    228: ("BAD_SIZE_OF_FILE_IN_DATA_PART", _damaged),
    234: ("NO_REPLICA_HAS_PART", _NO_REPLICAS),
    236: ("ABORTED", _STOPPED),
    241: ("MEMORY_LIMIT_EXCEEDED", _out_of_memory),
    242: ("TABLE_IS_READ_ONLY", _NO_REPLICAS),
    243: ("NOT_ENOUGH_SPACE", _overloaded("has no space left on its disk")),
    246: ("CORRUPTED_DATA", _damaged),
    252: ("TOO_MANY_PARTS", _overloaded("has to merge what was written before it can take more")),
    254: ("NO_ACTIVE_REPLICAS", _NO_REPLICAS),
    271: ("CANNOT_DECOMPRESS", _damaged),
    279: ("ALL_CONNECTION_TRIES_FAILED", _NETWORK),
    285: ("TOO_FEW_LIVE_REPLICAS", _NO_REPLICAS),
    286: ("UNSATISFIED_QUORUM_FOR_PREVIOUS_WRITE", _NO_REPLICAS),
    289: ("REPLICA_IS_NOT_IN_QUORUM", _NO_REPLICAS),
    319: ("UNKNOWN_STATUS_OF_INSERT", _NO_REPLICAS),
    394: ("QUERY_WAS_CANCELLED", _STOPPED),
    400: ("CANNOT_STAT", _DISK),
    415: ("ALL_REPLICAS_LOST", _NO_REPLICAS),
    425: ("SYSTEM_ERROR", _DISK),
    439: ("CANNOT_SCHEDULE_TASK", _BUSY),
    473: ("DEADLOCK_AVOIDED", _BUSY),
    481: ("PATH_ACCESS_DENIED", _DISK),
    499: ("S3_ERROR", _DISK),
    516: ("AUTHENTICATION_FAILED", _not_let_in),
    692: ("TOO_MANY_MUTATIONS", _overloaded("has to change stored records before it can take more")),
    745: ("SERVER_OVERLOADED", _BUSY),
    999: ("KEEPER_EXCEPTION", _NO_REPLICAS),
}
"""Errors that the state of a server causes, by their codes. Any other error is one of what Pegcount asked, or
of how the server is set up, and becomes a ShardFaultError."""

FAULT_NAMES: Final[Mapping[int, str]] = {
    36: "BAD_ARGUMENTS",
    43: "ILLEGAL_TYPE_OF_ARGUMENT",
    47: "UNKNOWN_IDENTIFIER",
    62: "SYNTAX_ERROR",
    115: "UNKNOWN_SETTING",
    158: "TOO_MANY_ROWS",
    164: "READONLY",
    191: "SET_SIZE_LIMIT_EXCEEDED",
    307: "TOO_MANY_BYTES",
    388: "CANNOT_ASSIGN_OPTIMIZE",
    392: "QUERY_IS_PROHIBITED",
    396: "TOO_MANY_ROWS_OR_BYTES",
    497: "ACCESS_DENIED",
}
"""Names of errors of what was asked, or of how a server is set up, for their texts."""

UNKNOWN_SETTING: Final = 115
"""Code of the error of a server that does not have a setting of a request."""

TOO_LONG_ANSWER: Final = 396
"""Code of the error of an answer that has more rows or bytes than `max_result_rows` and `max_result_bytes`
say: traffic scans set both."""

NOT_LET_IN: Final = frozenset({192, 193, 194, 516})
"""Errors of a server that does not accept the user or the password. While a password is changed, one of both
sides has the new one first: callers may try again."""
_LIMITS: Final = frozenset({158, 191, 307, 396})
"""Errors of limits that the profile of the user sets; for traffic scans, Pegcount sets the last one."""
_STORED_NOTHING: Final = frozenset({60, 81, 202, 203, 243, 252, 692, 745, *NOT_LET_IN, *FAULT_NAMES})
"""Errors with which a server refuses a write before it begins it. After others, a write may be stored."""


def name_of(code: int) -> str:
    """Returns the name that ClickHouse has for an error, "another error" for one without a place here."""
    return FAILURES[code][0] if code in FAILURES else FAULT_NAMES.get(code, "another error")


def failure(shard: str, code: int, is_write: bool) -> PegcountError:
    """Returns the error that an error of ClickHouse is to the caller, who learns no text of ClickHouse.

    Such a text may repeat values of records, and is for the log only. For a write that may be stored
    nevertheless, the result is a WriteFateUnknownError, whose `__cause__` is what the error is otherwise.
    """
    known = FAILURES[code][1](shard) if code in FAILURES else _fault(shard, code)
    if code in NOT_LET_IN:
        known.__cause__ = _fault(shard, code)
    return unknown_fate(shard, known) if is_write and code not in _STORED_NOTHING else known


def unknown_fate(shard: str, cause: BaseException) -> WriteFateUnknownError:
    """Returns the error of a write that may be stored or not."""
    text = f"{shard} was lost during a write, which is stored as a whole or not at all"
    error = WriteFateUnknownError(text, RETRY_SECONDS)
    error.__cause__ = cause
    return error


def no_answer(shard: str) -> StoreUnavailableError:
    """Returns the error of a server that cannot be reached or does not answer."""
    return StoreUnavailableError(f"{shard} does not answer", RETRY_SECONDS)


def _fault(shard: str, code: int) -> ShardFaultError:
    name = name_of(code)
    cause = " by a limit of the user's profile" if code in _LIMITS else ""
    text = f"{shard} refused a statement{cause} (code {code}, {name}); the log of this server has its text"
    return ShardFaultError(text, code, name)
