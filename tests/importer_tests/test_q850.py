"""Names of hangup causes and dispositions as Q.850 numbers."""

import pytest
from pegcount.importers.q850 import CAUSE_BY_DISPOSITION, hangup_cause


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("NORMAL_CLEARING", 16),
        ("USER_BUSY", 17),
        ("NO_USER_RESPONSE", 18),
        ("NO_ANSWER", 19),
        ("CALL_REJECTED", 21),
        ("INTERWORKING", 127),
        # FreeSWITCH numbers this cause 487, but writes 16 to hangup_cause_q850.
        ("ORIGINATOR_CANCEL", 16),
        ("USER_NOT_REGISTERED", 16),
        ("NONE", None),
        ("normal_clearing", None),
        ("", None),
    ],
)
def test_hangup_causes(name: str, expected: int | None) -> None:
    assert hangup_cause(name) == expected


def test_dispositions() -> None:
    expected = {"ANSWERED": 16, "BUSY": 17, "NO ANSWER": 19, "CONGESTION": 34, "FAILED": 38}
    assert expected == CAUSE_BY_DISPOSITION
