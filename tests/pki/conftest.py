"""What the tests of the certificate register share."""

from __future__ import annotations

import pytest

from tests.city import City
from tests.pki.office import Office


@pytest.fixture
async def office(city: City) -> Office:
    return Office(city, await city.signed_in("sys"), await city.signed_in("sec"))
