"""States and provinces that belong into an address: codes by folded name, for each country that has them."""

from __future__ import annotations

from shopbot.references.us_states import STATE_CODES

REGION_CODES = {
    "USA": STATE_CODES | {
        "d c": "DC", "puerto rico": "PR", "guam": "GU", "virgin islands": "VI", "aa": "AA", "ae": "AE", "ap": "AP",
    },
    "Canada": {
        "alberta": "AB", "british columbia": "BC", "manitoba": "MB", "new brunswick": "NB",
        "newfoundland and labrador": "NL", "newfoundland": "NL", "northwest territories": "NT", "nova scotia": "NS",
        "nunavut": "NU", "ontario": "ON", "prince edward island": "PE", "quebec": "QC", "saskatchewan": "SK",
        "yukon": "YT",
    },
    "Australia": {
        "australian capital territory": "ACT", "new south wales": "NSW", "northern territory": "NT",
        "queensland": "QLD", "south australia": "SA", "tasmania": "TAS", "victoria": "VIC", "western australia": "WA",
    },
}  # fmt: skip
