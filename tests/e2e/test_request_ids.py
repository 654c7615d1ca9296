from __future__ import annotations

import pytest

from tests.support.client import Cpo, a_connector, a_location, an_evse
from tests.support.world import Service, until_drawn

EVERYTHING = (
    "{ locations(limit: 200) { evses { uid serial_number evse_id connectors { id standard rate_setting status } } } }"
)


@pytest.mark.parametrize("own", ["", "mine-7"])
async def test_an_answer_that_is_sent_in_parts_has_its_id(emsp: Service, cpo: Cpo, own: str) -> None:
    connectors = [a_connector()] * 12
    for call in range(3):
        many = [
            a_location(
                f"Mall {call}-{nr}", *(an_evse(f"{call}-{nr}-{one}", connectors=connectors) for one in range(10))
            )
            for nr in range(50)
        ]
        assert (await emsp.client.push_locations(cpo, many)).status == 200
    await until_drawn(emsp)
    token = await emsp.client.log_in(cpo)
    headers = {"Authorization": f"Bearer {token}", "X-Request-ID": own}
    url = emsp.base_url + "/ocpi/cpo/graphql"
    async with emsp.client.session.post(url, json={"query": EVERYTHING}, headers=headers) as response:
        body = await response.read()
        assert response.headers["Transfer-Encoding"] == "chunked"
        assert len(body) > 1_000_000
        assert response.headers["X-Request-ID"]
        assert response.headers["X-Request-ID"] == (own or response.headers["X-Request-ID"])
