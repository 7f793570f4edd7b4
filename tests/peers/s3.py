"""A private S3 server: moto's, which is no package of Debian but comes with the requirements for developing.

It answers over HTTP as Amazon's does, holds objects in memory, and checks every request's key and signature.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import requests

from tests.peers.process import free_port, running, temporary_folder

REGION = "us-east-1"
UNCHECKED = 4
"""Requests that the server takes from anybody: those that make the user, its right, its key, and the bucket."""

RIGHT = '{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}'


@dataclass(frozen=True)
class S3:
    """A running server with one bucket and one user who may use it."""

    endpoint: str
    pid: int
    bucket: str
    key_id: str
    secret: str

    def settings(self, prefix: str) -> dict[str, str]:
        """What the site's settings hold, for a part of the bucket."""
        return {
            "bucket": self.bucket, "endpoint": self.endpoint, "region": REGION, "prefix": prefix,
            "key_id": self.key_id, "secret": self.secret,
        }  # fmt: skip

    def environment(self, prefix: str) -> dict[str, str]:
        """What an installation is told."""
        return {
            "S3_BUCKET": self.bucket, "S3_ENDPOINT": self.endpoint, "S3_PREFIX": prefix,
            "AWS_ACCESS_KEY_ID": self.key_id, "AWS_SECRET_ACCESS_KEY": self.secret,
        }  # fmt: skip

    @property
    def client(self) -> Any:
        """A client of our own, beside the one that is tested."""
        return _client("s3", self.endpoint, self.key_id, self.secret)

    def keys(self, prefix: str) -> list[str]:
        """The objects below a prefix."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket, Prefix=prefix)
        return [found["Key"] for page in pages for found in page.get("Contents", ())]


@contextmanager
def private_s3() -> Iterator[S3]:
    """Start the server on a free loopback port; what it holds is gone when the block ends.

    Raises
    ------
    PeerFailed : it did not come up.
    """
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    environment = {**os.environ, "INITIAL_NO_AUTH_ACTION_COUNT": str(UNCHECKED)}
    arguments = ["-m", "moto.server", "--host", "127.0.0.1", "--port", str(port)]
    with (
        temporary_folder("s3") as folder,
        running(Path(sys.executable), arguments, folder, lambda: _answers(endpoint), environment=environment) as pid,
    ):
        key = _user(endpoint)
        _client("s3", endpoint, **key).create_bucket(Bucket="lesions")
        yield S3(endpoint, pid, "lesions", **key)


def _user(endpoint: str) -> dict[str, str]:
    iam = _client("iam", endpoint, "nobody", "nothing")
    iam.create_user(UserName="deeplesion")
    iam.put_user_policy(UserName="deeplesion", PolicyName="all", PolicyDocument=RIGHT)
    made = iam.create_access_key(UserName="deeplesion")["AccessKey"]
    return {"key_id": made["AccessKeyId"], "secret": made["SecretAccessKey"]}


def _client(service: str, endpoint: str, key_id: str, secret: str) -> Any:
    session = boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret)
    return session.client(service, endpoint_url=endpoint, region_name=REGION)


def _answers(endpoint: str) -> bool:
    try:
        return requests.get(f"{endpoint}/moto-api/data.json", timeout=2).ok
    except requests.RequestException:
        return False
