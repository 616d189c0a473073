"""Lists that leave the system as files for office programs."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime

from oa_server.core.clock import OFFICE_ZONE


def protect_cell(text: str) -> str:
    """A cell that no spreadsheet program takes for a formula (leading = + - @ tab, carriage return)."""
    return f"'{text}" if text[:1] in {"=", "+", "-", "@", "\t", "\r"} else text


def _cell(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(OFFICE_ZONE).strftime("%Y-%m-%d %H:%M:%S")
    return "" if value is None else protect_cell(str(value))


def write_csv(header: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A list as .csv with the byte-order mark that office programs expect, safe against formulas, in the office's time."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(header)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
    return b"\xef\xbb\xbf" + buffer.getvalue().encode()
