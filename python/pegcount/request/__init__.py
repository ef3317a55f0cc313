"""Validates request messages and turns them into queries, before any data is read."""

from pegcount.request.active import FILTER_FIELDS, active_query
from pegcount.request.audit import audit_page
from pegcount.request.batch_fields import corrected_sources
from pegcount.request.code_deck import check_deck_count, code_deck_id
from pegcount.request.credential import credential_id, new_credential, rotation
from pegcount.request.deletion import deletion, rule_id
from pegcount.request.denominators import DENOMINATORS, denominators_of, with_denominators
from pegcount.request.erasure import erasure_id, parties
from pegcount.request.feeds import feed_query
from pegcount.request.folder import folder_query
from pegcount.request.list_limits import check_counts, check_field_count, check_lists, list_fields
from pegcount.request.masking import masking
from pegcount.request.message import check_size, parse
from pegcount.request.named_values import (
    NamedField,
    NamedFigure,
    NamedIds,
    named_columns,
    named_fields,
    named_figures,
    named_filters,
    named_ids,
)
from pegcount.request.quality import quality_query
from pegcount.request.retention import retention
from pegcount.request.source_rule import SourceRule, ruled_source, source_rule
from pegcount.request.traffic import traffic_query
from pegcount.request.traffic_watch import AlertRule, TrafficWatch, from_time, traffic_watch
from pegcount.request.usage import usage_query
from pegcount.request.validation import Check, never_ends

__all__ = [
    "DENOMINATORS",
    "FILTER_FIELDS",
    "AlertRule",
    "Check",
    "NamedField",
    "NamedFigure",
    "NamedIds",
    "SourceRule",
    "TrafficWatch",
    "active_query",
    "audit_page",
    "check_counts",
    "check_deck_count",
    "check_field_count",
    "check_lists",
    "check_size",
    "code_deck_id",
    "corrected_sources",
    "credential_id",
    "deletion",
    "denominators_of",
    "erasure_id",
    "feed_query",
    "folder_query",
    "from_time",
    "list_fields",
    "masking",
    "named_columns",
    "named_fields",
    "named_figures",
    "named_filters",
    "named_ids",
    "never_ends",
    "new_credential",
    "parse",
    "parties",
    "quality_query",
    "retention",
    "rotation",
    "rule_id",
    "ruled_source",
    "source_rule",
    "traffic_query",
    "traffic_watch",
    "usage_query",
    "with_denominators",
]
