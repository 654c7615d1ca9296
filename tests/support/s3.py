"""An S3 server over HTTP: moto's, in this process, on a free port."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final
from urllib.request import Request, urlopen
from uuid import uuid4

import obstore
from moto.server import ThreadedMotoServer
from obstore.store import S3Store

REGION: Final = "ap-southeast-1"
KEY_ID: Final = "a-key-id-of-a-test"
SECRET: Final = "a-secret-key-of-a-test"


@dataclass(frozen=True, slots=True)
class S3Server:
    """A running server with one bucket."""

    endpoint: str
    bucket: str

    def names(self) -> list[str]:
        """The names of what lies in the bucket, sorted."""
        store = S3Store(
            self.bucket,
            endpoint=self.endpoint,
            region=REGION,
            access_key_id=KEY_ID,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )
        return sorted(found["path"] for page in obstore.list(store) for found in page)


@contextmanager
def s3_server() -> Iterator[S3Server]:
    """A server with an empty bucket of its own: what these servers hold they share."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    try:
        host, port = server.get_host_and_port()
        running = S3Server(f"http://{host}:{port}", f"emsp-{uuid4().hex}")
        with urlopen(Request(f"{running.endpoint}/{running.bucket}", method="PUT")):  # noqa: S310 - our own server
            pass
        yield running
    finally:
        server.stop()
