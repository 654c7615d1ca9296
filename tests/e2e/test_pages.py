from __future__ import annotations

from tests.support.world import Service

GRAPHQL = "/ocpi/cpo/graphql"


async def test_the_description_is_served_and_kept_by_who_has_it(emsp: Service) -> None:
    url = f"{emsp.base_url}/openapi.json"
    async with emsp.client.session.get(url) as response:
        document = await response.json()
        tag = response.headers["ETag"]
        assert (response.status, response.content_type) == (200, "application/json")
        assert document["openapi"].startswith("3.1")
    for known, status in ((tag, 304), (f'"x", {tag}', 304), ('"x"', 200)):
        async with emsp.client.session.get(url, headers={"If-None-Match": known}) as response:
            assert (response.status, response.headers["ETag"]) == (status, tag)
            assert bool(await response.read()) is (status == 200)


async def test_the_service_has_the_calls_that_it_describes_and_no_other(emsp: Service) -> None:
    document = (await emsp.client.call("GET", "/openapi.json")).body
    described = {(method.upper(), path) for path, item in document["paths"].items() for method in item}
    served = {
        (route.method, route.resource.canonical)
        for route in emsp.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert served - described == {("*", GRAPHQL), ("GET", "/openapi.json")}
    assert described <= served
