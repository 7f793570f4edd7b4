"""Slices in a bucket of an S3 server, so that workers on any host share them without a shared file system.

django-storages knows the bucket and how names become keys. What it does with a resource for each thread and two
requests for each read is done here with one client for a process and one request. An object appears once all of it has
arrived and its hash was right, so nothing half-written is ever seen.
"""

import errno
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from functools import lru_cache
from tempfile import SpooledTemporaryFile
from typing import Any, NamedTuple

import boto3
from botocore.client import Config
from botocore.exceptions import BotoCoreError, ClientError
from django.core.files.base import File
from storages.backends.s3 import S3Storage

from datasets.storage_errors import StorageFailed, StorageUnreachable

SPOOL_BYTES = 4 << 20
"""What is larger waits on disk while it comes or goes; slices are smaller."""

CHUNK_BYTES = 1 << 20
AT_WORK = (5, 60, 3)
"""Seconds to connect and to wait for an answer, and how often a request is sent at most."""
ASKED_WHETHER_WELL = (2, 3, 1)
CONNECTIONS = 32

ROOT = "slices"
"""As in DATA_DIR, so that a backup of the one can be restored into the other."""


class Entry(NamedTuple):
    """An object: name below the storage's place, bytes, time of arrival in nanoseconds."""

    name: str
    size: int
    time: int


class ObjectStorage(S3Storage):
    """A place in a bucket; what goes wrong is an OSError, as with files."""

    endpoint_url: str
    bucket_name: str
    location: str

    @property
    def client(self) -> Any:
        """One for all threads of this process; a forked one makes its own."""
        # boto3 would look for credentials on the machine and in the cloud as well: only the environment may hold them.
        return self._client(AT_WORK)

    def _client(self, patience: tuple[int, int, int]) -> Any:
        return _client(os.getpid(), self.endpoint_url, self.region_name, self.access_key, self.secret_key, patience)

    def check(self) -> None:
        """Ask whether the bucket is there and lets us in.

        Raises
        ------
        StorageFailed
        """
        with self._told(""):
            asked = self._client(ASKED_WHETHER_WELL)
            asked.list_objects_v2(Bucket=self.bucket_name, Prefix=f"{self.location}/", MaxKeys=1)

    def entries(self, folder: str = "") -> Iterator[Entry]:
        """Every object below a folder, ordered by name.

        Raises
        ------
        StorageFailed
        """
        prefix = f"{self._key(folder)}/" if folder else f"{self.location}/"
        with self._told(""):
            pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=self.bucket_name, Prefix=prefix)
            for page in pages:
                for found in page.get("Contents", ()):
                    name = found["Key"].removeprefix(f"{self.location}/")
                    yield Entry(name, found["Size"], _nanoseconds(found["LastModified"]))

    def size(self, name: str) -> int:
        with self._told(name):
            return int(self.client.head_object(Bucket=self.bucket_name, Key=self._key(name))["ContentLength"])

    def _open(self, name: str, mode: str = "rb") -> File:
        with ExitStack() as unless_whole:
            arrived = unless_whole.enter_context(SpooledTemporaryFile(SPOOL_BYTES))
            with self._told(name):
                body = self.client.get_object(Bucket=self.bucket_name, Key=self._key(name))["Body"]
                for chunk in body.iter_chunks(CHUNK_BYTES):
                    arrived.write(chunk)
            arrived.seek(0)
            unless_whole.pop_all()
        return File(arrived, name)

    def _save(self, name: str, content: File) -> str:
        # All of it is here before the first byte goes: a source that breaks off sends nothing.
        with SpooledTemporaryFile(SPOOL_BYTES) as whole:
            for chunk in content.chunks():
                whole.write(chunk)
            whole.seek(0)
            with self._told(name):
                self.client.put_object(Bucket=self.bucket_name, Key=self._key(name), Body=whole)
        return name

    def delete(self, name: str) -> None:
        with self._told(name):
            self.client.delete_object(Bucket=self.bucket_name, Key=self._key(name))

    def key(self, name: str) -> str:
        """Where an object lies, for people: bucket and key."""
        return f"{self.bucket_name}/{self._key(name)}"

    def _key(self, name: str) -> str:
        return str(self._normalize_name(name))

    @contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Turn what the server or the way to it is the cause of into a sentence."""
        where = f"the bucket {self.bucket_name} at {self.endpoint_url or 'Amazon'}"
        try:
            yield
        except ClientError as error:
            code, status = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
            if code == "NoSuchBucket":
                raise StorageFailed(f"{where} does not exist") from error
            if status == 404:
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.key(name)) from error
            if status in (400, 401, 403):
                hint = "see AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and S3_REGION"
                raise StorageFailed(f"{where} does not let us in ({code}): {hint}") from error
            raise StorageUnreachable(f"{where} failed ({code})") from error
        except BotoCoreError as error:
            raise StorageUnreachable(f"{where} does not answer ({type(error).__name__})") from error


def slices(
    slug: str, *, bucket: str, endpoint: str, region: str, prefix: str, key_id: str, secret: str
) -> ObjectStorage:
    """The place of a collection's slices in a bucket; of all collections' for an empty slug."""
    return ObjectStorage(
        bucket_name=bucket,
        endpoint_url=endpoint or None,
        region_name=region,
        location="/".join(part for part in (prefix, ROOT, slug) if part),
        access_key=key_id,
        secret_key=secret,
        default_acl=None,
    )


@lru_cache(maxsize=4)
def _client(pid: int, endpoint: str, region: str, key_id: str, secret: str, patience: tuple[int, int, int]) -> Any:
    connect, read, attempts = patience
    config = Config(
        connect_timeout=connect,
        read_timeout=read,
        max_pool_connections=CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        # Servers other than Amazon's know the older ways alone. With the hash of its content signed, an object that
        # was changed on its way is refused.
        s3={"addressing_style": "path" if endpoint else "auto", "payload_signing_enabled": True},
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    session = boto3.Session(aws_access_key_id=key_id, aws_secret_access_key=secret)
    return session.client("s3", endpoint_url=endpoint, region_name=region, config=config)


def _nanoseconds(time: datetime) -> int:
    return int(time.timestamp()) * 1_000_000_000
