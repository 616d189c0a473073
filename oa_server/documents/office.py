"""What the verbs of documents work with: the desk for signatures, the encrypted store of pages, the fonts and how pages are set, the
ceiling."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from oa_server.documents.layout.fonts import FontLibrary
from oa_server.documents.layout.render import PageSettings
from oa_server.documents.states import Classification
from oa_server.signing.actions import SigningDesk
from oa_server.storage.objects import ObjectStore


@dataclass(frozen=True, slots=True)
class Office:
    """The tools of one installation."""

    signing: SigningDesk
    store: ObjectStore
    fonts: FontLibrary
    page_settings: Callable[[], Awaitable[PageSettings]]
    ceiling: Classification
