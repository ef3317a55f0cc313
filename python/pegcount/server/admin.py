"""`AdminService`: code decks, retention, deletions, erasures, masking, credentials and store info."""

from functools import partial

from pegcount import calendar, core, request, response
from pegcount.auth import Credentials, RequireAccepted, accept_anybody
from pegcount.config import Config
from pegcount.store import SourceRules, Store
from pegcount.v1 import admin_pb2
from pegcount.version import VERSION
from pegcount.zone import Zone


class AdminService:
    """Manages code decks, retention, deletions, erasures, masking and credentials, and describes the store.

    Each method validates its request, acts on the store, and answers. The store may wait, so they run on
    threads.
    """

    def __init__(self, config: Config, store: Store, rules: SourceRules, credentials: Credentials) -> None:
        self._config = config
        self._credentials = credentials
        self._store = store
        self._rules = rules

    def decoded_code_deck(self, data: bytes) -> core.CodeDeckRequest:
        """Decodes the serialized request of `PutCodeDeck`.

        Raises RequestTooLargeError and MalformedMessageError.
        """
        request.check_size(data, self._config.request_bytes_max)
        return core.decode_code_deck(
            data,
            entry_count_max=self._config.code_deck_entry_count_max,
            text_bytes_max=self._config.filter_text_bytes_max,
            bad_entry_count_max=self._config.violation_count_max,
        )

    def PutCodeDeck(self, decoded: core.CodeDeckRequest) -> admin_pb2.PutCodeDeckResponse:
        """Stores a code deck, or replaces the one with the same id."""
        deck_id = request.code_deck_id(decoded, self._config)
        request.check_deck_count(deck_id, self._store.code_decks(), self._config)
        self._store.put_code_deck(deck_id, decoded.deck)
        return admin_pb2.PutCodeDeckResponse(entry_count=decoded.entry_count)

    def ListCodeDecks(self, message: admin_pb2.ListCodeDecksRequest) -> admin_pb2.ListCodeDecksResponse:
        """Lists the code decks in ascending order of their ids."""
        decks = sorted(self._store.code_decks().items())
        messages = [admin_pb2.CodeDeck(id=deck_id, entry_count=count) for deck_id, count in decks]
        return admin_pb2.ListCodeDecksResponse(code_decks=messages)

    def GetStoreInfo(self, message: admin_pb2.GetStoreInfoRequest) -> admin_pb2.GetStoreInfoResponse:
        """Returns the counts of records and segments, the versions of server and tzdata, and faults."""
        info, refused, rules = self._store.info(), self._store.refused_clock(), self._store.deletions()
        fault = self._store.write_fault
        return response.store_info(info, refused, rules, fault, _utc(), VERSION, calendar.tzdata_version())

    def DeleteRecords(
        self, message: admin_pb2.DeleteRecordsRequest, cancel_token: core.CancelToken
    ) -> admin_pb2.DeleteRecordsResponse:
        """Deletes records, or counts those that it would delete."""
        request.check_lists(message, self._config)
        deletion = request.deletion(message, self._config, cancel_token.check)
        if message.dry_run:
            count = self._store.count_matching(deletion, cancel_token)
            return admin_pb2.DeleteRecordsResponse(deleted=count)
        outcome = self._rules.delete(deletion, cancel_token)
        return admin_pb2.DeleteRecordsResponse(deleted=outcome.deleted, rule_id=outcome.rule_id)

    def ListDeletions(self, message: admin_pb2.ListDeletionsRequest) -> admin_pb2.ListDeletionsResponse:
        """Lists the deletions that still apply, or one of them with its session ids."""
        is_one = message.HasField("rule_id")
        rules = [self._store.deletion(message.rule_id)] if is_one else self._store.deletions()
        messages = [response.deletion(rule, _utc()) for rule in rules]
        return admin_pb2.ListDeletionsResponse(deletions=messages)

    def LiftDeletion(
        self, message: admin_pb2.LiftDeletionRequest, cancel_token: core.CancelToken
    ) -> admin_pb2.LiftDeletionResponse:
        """Ends a deletion: records that it rejects are taken again."""
        self._store.lift_deletion(request.rule_id(message, self._config), cancel_token)
        return admin_pb2.LiftDeletionResponse()

    def EraseParties(
        self, message: admin_pb2.ErasePartiesRequest, cancel_token: core.CancelToken
    ) -> admin_pb2.ErasePartiesResponse:
        """Erases numbers of parties, or counts the records that have one."""
        request.check_lists(message, self._config)
        parties = request.parties(message, self._config, core.canonical_party, cancel_token.check)
        if message.dry_run:
            count = self._store.count_parties(parties, cancel_token)
            return admin_pb2.ErasePartiesResponse(records=count)
        outcome = self._store.erase(parties, cancel_token)
        return admin_pb2.ErasePartiesResponse(records=outcome.records, erasure_id=outcome.erasure_id)

    def ListErasures(self, message: admin_pb2.ListErasuresRequest) -> admin_pb2.ListErasuresResponse:
        """Lists the erasures that writes are held to."""
        messages = [response.erasure(erasure, _utc()) for erasure in self._store.erasures()]
        return admin_pb2.ListErasuresResponse(erasures=messages)

    def LiftErasure(
        self, message: admin_pb2.LiftErasureRequest, cancel_token: core.CancelToken
    ) -> admin_pb2.LiftErasureResponse:
        """Ends an erasure once it is complete: later writes keep its numbers."""
        self._store.lift_erasure(request.erasure_id(message, self._config), cancel_token)
        return admin_pb2.LiftErasureResponse()

    def GetMasking(self, message: admin_pb2.GetMaskingRequest) -> admin_pb2.GetMaskingResponse:
        """Returns when numbers of parties are masked, and how much waits for that."""
        return admin_pb2.GetMaskingResponse(
            masking=response.masking(self._store.masking()), waiting_segments=self._store.masking_backlog()
        )

    def SetMasking(self, message: admin_pb2.SetMaskingRequest) -> admin_pb2.SetMaskingResponse:
        """Sets when numbers of parties are masked."""
        self._store.set_masking(request.masking(message))
        return admin_pb2.SetMaskingResponse()

    def CreateCredential(
        self,
        message: admin_pb2.CreateCredentialRequest,
        require_accepted: RequireAccepted = accept_anybody,
    ) -> admin_pb2.CreateCredentialResponse:
        """Makes a credential and its first key."""
        request.check_lists(message, self._config)
        read = partial(request.new_credential, message, self._config)
        issued = self._credentials.create(read, require_accepted)
        return admin_pb2.CreateCredentialResponse(id=issued.row.id, secret=issued.key.text)

    def RotateCredential(
        self,
        message: admin_pb2.RotateCredentialRequest,
        require_accepted: RequireAccepted = accept_anybody,
    ) -> admin_pb2.RotateCredentialResponse:
        """Makes a second key for a credential."""
        issued = self._credentials.rotate(*request.rotation(message, self._config), require_accepted)
        return response.rotated(issued.row, issued.key.text, _utc())

    def RevokeCredential(
        self,
        message: admin_pb2.RevokeCredentialRequest,
        require_accepted: RequireAccepted = accept_anybody,
    ) -> admin_pb2.RevokeCredentialResponse:
        """Revokes a credential."""
        self._credentials.revoke(request.credential_id(message, self._config), require_accepted)
        return admin_pb2.RevokeCredentialResponse()

    def ListCredentials(self, message: admin_pb2.ListCredentialsRequest) -> admin_pb2.ListCredentialsResponse:
        """Lists the credentials, the oldest first."""
        messages = [response.credential(row, _utc()) for row in self._credentials.rows()]
        return admin_pb2.ListCredentialsResponse(credentials=messages)

    def GetRetention(self, message: admin_pb2.GetRetentionRequest) -> admin_pb2.GetRetentionResponse:
        """Returns the retention, and the refused clock that stalls it."""
        return admin_pb2.GetRetentionResponse(
            retention=response.retention(self._store.retention()),
            refused_clock=response.refused_clock(self._store.refused_clock(), _utc()),
        )

    def SetRetention(self, message: admin_pb2.SetRetentionRequest) -> admin_pb2.SetRetentionResponse:
        """Sets the retention, accepts the clock, or both."""
        retention = request.retention(message)
        if message.accept_clock:
            self._store.accept_clock()
        if retention is not None:
            self._store.set_retention(retention)
        return admin_pb2.SetRetentionResponse()

    def ListAuditEntries(
        self, message: admin_pb2.ListAuditEntriesRequest
    ) -> admin_pb2.ListAuditEntriesResponse:
        """Lists the calls that changed something, the newest first."""
        entries = self._store.audit_entries(*request.audit_page(message, self._config))
        messages = [response.audit_entry(entry, _utc()) for entry in entries]
        return admin_pb2.ListAuditEntriesResponse(entries=messages)


def _utc() -> Zone:
    utc = calendar.zone("UTC")
    assert utc is not None, "tzdata has UTC"
    return utc
