"""Clients of the embedded cloud's own services, for those who act in AWS's place."""

import threading
from typing import Any

from build.local.variables import ACCESS_KEY_ID, SECRET_ACCESS_KEY


class Clients:
    """Makes each client once. Any number of threads may ask."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._lock = threading.Lock()
        self._clients: dict[tuple[str, str], Any] = {}

    def of(self, service: str, region: str) -> Any:
        """Return boto3's client of ``service``; what fails is not tried again."""
        import boto3
        from botocore.config import Config

        with self._lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = boto3.session.Session().client(
                    service,
                    region_name=region,
                    endpoint_url=self._endpoint,
                    aws_access_key_id=ACCESS_KEY_ID,
                    aws_secret_access_key=SECRET_ACCESS_KEY,
                    config=Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"}),
                )
            return self._clients[service, region]
