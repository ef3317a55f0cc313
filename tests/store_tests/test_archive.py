"""Moving a data directory by an archive: nothing of it is lost, and nothing counts twice."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from decks import deck_of
from moved_stores import (
    ERASED,
    HELD,
    NO_LIMIT,
    REVOKED,
    answers,
    exported,
    fill,
    imported,
    old_request,
    random_request,
    records_of,
    replayed,
    settings,
    without_times,
)
from pegcount import core
from pegcount.config import Config
from pegcount.errors import ArchiveError
from pegcount.model import Deletion, KeyRow, Retention
from pegcount.privacy import Masking
from pegcount.store import EmbeddedStore
from pegcount.store.moving.archive_file import ArchiveWriter, VerifiedArchive
from pegcount.store.moving.sides import JoinCounts
from pegcount.v1 import records_pb2
from seeds import chance
from server_tests.example_requests import active_record, call_record
from service import NOW_US

ROUND_COUNT = 4
FORMATS = Path(__file__).parent / "formats"


@contextmanager
def opened(directory: Path) -> Iterator[EmbeddedStore]:
    store = EmbeddedStore(directory, Config(), create=True, clock=lambda: NOW_US)
    try:
        yield store
    finally:
        store.close()


@pytest.mark.parametrize("number", range(ROUND_COUNT))
def test_a_moved_directory_is_as_it_was(number: int, tmp_path: Path) -> None:
    dice, path = chance("archive", number), tmp_path / "archive"
    with opened(tmp_path / "one") as one:
        batches = fill(one, dice, forgets=number >= ROUND_COUNT // 2)
        if number % 2:
            one.flush()
        count = exported(one, tmp_path / "one", path)
        with opened(tmp_path / "two") as two:
            moved = imported(path, two)
            assert (moved.records.added, moved.records.total) == (count, count)
            assert count > 20
            again = imported(path, two)
            assert (again.records.unchanged, again.records.total) == (count, count)
            assert all(counts.taken == 0 for counts in again.settings)
        # Opened anew: what was joined is in files, and not in memory alone.
        with opened(tmp_path / "two") as two:
            assert records_of(two, tmp_path / "two") == records_of(one, tmp_path / "one")
            assert answers(two) == answers(one)
            assert settings(two) == settings(one)
            dice.shuffle(batches)
            done = replayed(two, batches)
            assert done == replayed(one, batches)
            # An erasure may uncover an older number of the same field, which a replay brings back, to both.
            assert number >= ROUND_COUNT // 2 or not any(accepted for accepted, *_ in done)
            assert without_times(two, tmp_path / "two") == without_times(one, tmp_path / "one")


def test_a_replay_after_the_move_is_all_duplicates(tmp_path: Path) -> None:
    dice, path = chance("archive of versions"), tmp_path / "archive"
    batches = [random_request(dice) for _ in range(60)]
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        for batch in batches:
            one.write(batch)
        exported(one, tmp_path / "one", path)
        imported(path, two)
        dice.shuffle(batches)
        for accepted, replaced, _, rejected in replayed(two, batches):
            assert (accepted, replaced, rejected) == (0, 0, [])


def test_archives_and_batches_are_joined_in_any_order(tmp_path: Path) -> None:
    """Each of three stores has some versions of the same sessions; the fourth gets all of them."""
    dice = chance("joined archives")
    shares = [[random_request(dice) for _ in range(20)] for _ in range(3)]
    with opened(tmp_path / "all") as whole:
        for batch in [batch for share in shares for batch in share]:
            whole.write(batch)
        for order in ((0, 1, 2), (2, 1, 0)):
            place = tmp_path / f"joined {order}"
            with opened(place) as joined:
                for number in order[:2]:
                    _import_share(shares[number], tmp_path / f"{order} {number}", joined)
                for batch in shares[order[2]]:
                    joined.write(batch)
                joined.flush()
                _import_share(shares[order[0]], tmp_path / f"{order} again", joined)
                assert without_times(joined, place) == without_times(whole, tmp_path / "all")
            with opened(place) as again:
                assert without_times(again, place) == without_times(whole, tmp_path / "all")
                assert answers(again) == answers(whole)


def test_what_the_rules_of_the_target_cover_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        for number in range(5):
            request = records_pb2.WriteRecordsRequest(
                records=[call_record(f"call-{number}", source="switch", orig_src_party_id=ERASED)]
            )
            one.write(request.SerializeToString())
        one.write(old_request())
        count = exported(one, tmp_path / "one", path)
        two.delete(Deletion(session_ids=("call-1", "call-2")), NO_LIMIT)
        two.erase([ERASED], NO_LIMIT)
        two.set_retention(Retention(days=5))
        assert imported(path, two).records == JoinCounts(added=3, deleted=2, before_retention=count - 5)
        assert two.count_parties([ERASED], NO_LIMIT) == 0


def test_a_session_of_the_archive_ends_one_that_is_active_here(tmp_path: Path) -> None:
    """The active snapshot and the journal of the directory still have it without its end."""
    path, place = tmp_path / "archive", tmp_path / "two"
    with opened(tmp_path / "one") as one, opened(place) as two:
        one.write(_batch(call_record("call-1", source="switch")))
        two.write(_batch(active_record("call-1", source="switch", event="SESSION_EVENT_START")))
        two.flush()
        two.write(_batch(active_record("call-2", source="switch", event="SESSION_EVENT_START")))
        exported(one, tmp_path / "one", path)
        assert imported(path, two).records == JoinCounts(joined=1)
    with opened(place) as two:
        assert (two.info().records, two.info().active_records) == (2, 1)


def test_the_directory_of_another_store_may_be_exported_while_it_is_owned(tmp_path: Path) -> None:
    with opened(tmp_path / "one") as one:
        one.write(_batch(call_record("call-1")))
        assert exported(one, tmp_path / "one", tmp_path / "archive") == 1


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """An archive of several frames."""
    with opened(tmp_path / "source") as store:
        fill(store, chance("archive file"), forgets=False)
        exported(store, tmp_path / "source", tmp_path / "archive")
    return tmp_path / "archive"


def test_an_archive_that_was_cut_off_or_changed_is_refused_before_anything_changes(
    archive: Path, tmp_path: Path
) -> None:
    whole, dice = archive.read_bytes(), chance("damaged archive")
    lengths = [0, 1, 7, 8, 9, 17, len(whole) - 1, *(dice.randrange(len(whole)) for _ in range(30))]
    with opened(tmp_path / "target") as store:
        for length in lengths:
            archive.write_bytes(whole[:length])
            with pytest.raises(ArchiveError, match=r"cut off|not an archive"):
                imported(archive, store)
        for _ in range(60):
            changed = bytearray(whole)
            changed[dice.randrange(len(whole))] ^= 1 << dice.randrange(8)
            archive.write_bytes(changed)
            with pytest.raises(ArchiveError):
                imported(archive, store)
        archive.write_bytes(whole + whole)
        with pytest.raises(ArchiveError, match=r"after its end|damaged"):
            imported(archive, store)
        assert store.info().records == 0
        assert (store.credentials(), store.documents(), store.deletions()) == ([], {}, [])


def test_an_archive_that_is_exported_again_meanwhile_is_refused(archive: Path, tmp_path: Path) -> None:
    """Settings of one archive and records of another one would be joined."""
    verified, other = VerifiedArchive(archive), tmp_path / "other"
    with opened(tmp_path / "empty") as empty:
        exported(empty, tmp_path / "empty", other)
    other.rename(archive)
    for read in (verified.pieces, verified.decks):
        with pytest.raises(ArchiveError, match="has changed since it was verified: import it again"):
            list(read())


def test_a_file_of_another_kind_or_format_is_refused(archive: Path, tmp_path: Path) -> None:
    whole = archive.read_bytes()
    with opened(tmp_path / "target") as store:
        archive.write_bytes(b"session_id,setup_time\n")
        with pytest.raises(ArchiveError, match="is not an archive of `pegcount export --format archive`"):
            imported(archive, store)
        archive.write_bytes(b"PEGARCH2" + whole[8:])
        with pytest.raises(ArchiveError, match="has format 2, and this version reads format 1"):
            imported(archive, store)
        with archive.open("wb") as file:
            ArchiveWriter(file, "pegcount 9", 1).end({})
        names = [*core.record_fields(), "carrier"]
        with archive.open("wb") as file:
            newer = ArchiveWriter(file, "pegcount 9", 1, names)
            newer.end({})
        with pytest.raises(ArchiveError, match="fields that this one does not know: carrier"):
            imported(archive, store)


def test_sources_that_other_rules_made_are_refused(archive: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "target") as store:
        store.put_document("source_rule/switch", b"asterisk linkedid", None)
        with pytest.raises(ArchiveError, match=r"different rules.*source_rule/switch; nothing was imported"):
            imported(archive, store)
        assert store.info().records == 0


def test_a_directory_takes_no_digests_of_a_second_key(archive: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "target") as store:
        store.erase(["+15550199"], NO_LIMIT)
        with pytest.raises(ArchiveError, match="lift the erasures of all stores but one"):
            imported(archive, store)
        store.lift_erasure(1, NO_LIMIT)
        with pytest.raises(ArchiveError, match="import into a new directory"):
            imported(archive, store)


def test_a_credential_that_has_ended_on_one_side_has_ended(tmp_path: Path) -> None:
    path = tmp_path / "archive"
    ended = replace(HELD, revoke_us=7)
    later = KeyRow(b"m" * 32, "pk_2", 6)
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        one.put_credentials([replace(HELD, keys=(later, *HELD.keys), expire_us=50), REVOKED])
        exported(one, tmp_path / "one", path)
        two.put_credentials([replace(ended, keys=HELD.keys[:1])])
        imported(path, two)
        held = {row.id: row for row in two.credentials()}
        # What the target dropped stays dropped, and what was made since comes.
        assert held[HELD.id] == replace(ended, keys=(later, HELD.keys[0]), expire_us=50)
        assert held[REVOKED.id] == REVOKED
        two.put_credentials([HELD])
        one.put_credentials([ended])
        exported(one, tmp_path / "one", path)
        imported(path, two)
        assert {row.id: row for row in two.credentials()}[HELD.id].revoke_us == 7


def test_settings_that_the_target_has_stay(archive: Path, tmp_path: Path) -> None:
    with opened(tmp_path / "target") as store:
        store.put_code_deck(7, deck_of(("1", "USA", "US")))
        store.set_masking(Masking(5, 5))
        store.set_retention(Retention(days=30))
        moved = imported(archive, store)
        kept = {name for counts in moved.settings for name in counts.kept}
        assert kept == {"code deck 7", "masking", "retention"}
        assert (store.masking(), store.retention()) == (Masking(5, 5), Retention(days=30))
        assert store.code_decks() == {7: 1}


def test_a_retention_that_would_drop_records_of_the_target_is_not_taken(tmp_path: Path) -> None:
    """The archive of one store dropped what another one, which retains all, had before."""
    with opened(tmp_path / "one") as one, opened(tmp_path / "two") as two:
        one.set_retention(Retention(days=9))
        one.write(random_request(chance("records that are retained")))
        exported(one, tmp_path / "one", tmp_path / "archive")
        two.write(old_request())
        kept = imported(tmp_path / "archive", two).settings[-1].kept
        assert kept == ("no limit, as that of the archive would drop records",)
        assert two.retention() == Retention()


def _import_share(share: list[bytes], place: Path, target: EmbeddedStore) -> None:
    with opened(place) as store:
        for batch in share:
            store.write(batch)
        exported(store, place, place.with_suffix(".archive"))
    imported(place.with_suffix(".archive"), target)


def _batch(*records: records_pb2.SessionRecord) -> bytes:
    return records_pb2.WriteRecordsRequest(records=records).SerializeToString()


@pytest.mark.parametrize("name", sorted(path.name for path in FORMATS.iterdir()))
def test_records_of_past_formats_move_with_their_versions(name: str, tmp_path: Path) -> None:
    """Ranks of versions that a format before 8 stored are hashes of another kind."""
    directory = shutil.copytree(FORMATS / name / "directory", tmp_path / "one")
    with opened(directory) as one, opened(tmp_path / "two") as two:
        count = exported(one, directory, tmp_path / "archive")
        assert count > 0
        assert imported(tmp_path / "archive", two).records == JoinCounts(added=count)
        assert records_of(two, tmp_path / "two") == records_of(one, directory)
        assert settings(two) == settings(one)


def test_an_archive_of_the_first_format_is_read(tmp_path: Path) -> None:
    """`archives/1.pegcount` was made of the directory of format 7."""
    directory = shutil.copytree(FORMATS / "7" / "directory", tmp_path / "one")
    with opened(directory) as one, opened(tmp_path / "two") as two:
        imported(Path(__file__).parent / "archives" / "1.pegcount", two)
        assert records_of(two, tmp_path / "two") == records_of(one, directory)
        assert settings(two) == settings(one)
        assert two.code_decks() == {7: 2}
