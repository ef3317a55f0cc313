"""The file formats that can be imported."""

from pegcount.importers.asterisk_csv import parse_asterisk_csv
from pegcount.importers.freeswitch_csv import parse_freeswitch_csv
from pegcount.importers.freeswitch_json import parse_freeswitch_json
from pegcount.importers.freeswitch_xml import parse_freeswitch_xml
from pegcount.importers.options import Parser
from pegcount.importers.pegcount_csv import parse_pegcount_csv
from pegcount.importers.yeti_csv import parse_yeti_csv

FORMATS: dict[str, Parser] = {
    "asterisk-csv": parse_asterisk_csv,
    "freeswitch-csv": parse_freeswitch_csv,
    "freeswitch-json": parse_freeswitch_json,
    "freeswitch-xml": parse_freeswitch_xml,
    "pegcount-csv": parse_pegcount_csv,
    "yeti-csv": parse_yeti_csv,
}
"""Parsers by the name of their format."""
