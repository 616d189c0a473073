"""机关目录."""

from __future__ import annotations

import msgspec

from oa_sdk.operations import D, Part, operation
from oa_sdk.shapes import Id, Organ, OrganRow
from oa_sdk.wire import API, Steps, path_to


class _Organs(msgspec.Struct):
    items: list[OrganRow]


class Directory(Part[D]):
    """Organs, their units and officials: where recipients and signers are found."""

    @operation
    def organs(self, q: str = "") -> Steps[list[OrganRow]]:
        """All organs, or those that `q` names. Raises ConnectionLost, Refused."""
        found = yield from self._session.get(f"{API}/organs", _Organs, {"q": q} if q else {})
        return found.items

    @operation
    def organ(self, organ: Id) -> Steps[Organ]:
        """One organ with its units and officials. Raises NotFound."""
        return self._session.get(path_to("organs", organ), Organ)
