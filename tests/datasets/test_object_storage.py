"""Slices in a bucket, against a real server: whole or absent, and every failure one sentence."""

import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing

import pytest
from django.conf import settings as configured
from django.core.exceptions import SuspiciousOperation
from django.core.files.base import ContentFile
from pytest_django import Settings

from datasets import storage as places
from datasets.models import Collection
from datasets.object_storage import ObjectStorage, slices
from datasets.storage import AtomicFileStorage, bucket, slice_storage
from datasets.storage_errors import StorageFailed, StorageUnreachable
from tests.peers.process import free_port
from tests.peers.s3 import S3

NAME = "000001_01_01/001.png"


@pytest.fixture
def prefix(request: pytest.FixtureRequest) -> str:
    return request.node.name.partition("[")[0]


@pytest.fixture
def storage(s3: S3, prefix: str) -> ObjectStorage:
    return slices("hospital", **s3.settings(prefix))


class _BreaksOff(ContentFile):
    def chunks(self, chunk_size: int | None = None) -> Iterator[bytes]:
        yield b"half"
        raise OSError("the source went away")


def test_an_object_is_stored_under_its_name_again_and_again(storage: ObjectStorage, s3: S3, prefix: str) -> None:
    for content in (b"one", b"two" * 3_000_000):
        assert storage.save(NAME, ContentFile(content)) == NAME
        with storage.open(NAME) as file:
            assert b"".join(file.chunks()) == content
        assert storage.size(NAME) == len(content)
    assert s3.keys(prefix) == [f"{prefix}/slices/hospital/{NAME}"]


def test_names_come_in_order_without_those_of_other_collections(storage: ObjectStorage, s3: S3, prefix: str) -> None:
    for name in ("b/002.png", "b/001.png", "a/001.png"):
        storage.save(name, ContentFile(b"x"))
    slices("hospital-2", **s3.settings(prefix)).save("c/001.png", ContentFile(b"x"))
    assert [each.name for each in places.found(storage)] == ["a/001.png", "b/001.png", "b/002.png"]
    assert all(abs(each.written - time.time()) < 600 for each in places.found(storage))
    assert [entry.name for entry in storage.entries("b")] == ["b/001.png", "b/002.png"]
    assert len(list(slices("", **s3.settings(prefix)).entries())) == 4


def test_a_source_that_breaks_off_leaves_the_old_object(storage: ObjectStorage) -> None:
    storage.save(NAME, ContentFile(b"whole"))
    with pytest.raises(OSError, match="went away"):
        storage.save(NAME, _BreaksOff(b""))
    assert storage.open(NAME).read() == b"whole"


def test_a_connection_that_breaks_off_leaves_no_object(storage: ObjectStorage, s3: S3, prefix: str) -> None:
    with _Cutting(s3, up=200_000) as endpoint:
        cut = slices("hospital", **{**s3.settings(prefix), "endpoint": endpoint})
        with pytest.raises(StorageUnreachable, match="does not answer"):
            cut.save(NAME, ContentFile(bytes(1_000_000)))
    assert s3.keys(prefix) == []


def test_an_answer_that_breaks_off_is_no_slice(storage: ObjectStorage, s3: S3, prefix: str) -> None:
    storage.save(NAME, ContentFile(bytes(1_000_000)))
    with _Cutting(s3, down=200_000) as endpoint:
        cut = slices("hospital", **{**s3.settings(prefix), "endpoint": endpoint})
        with pytest.raises(StorageUnreachable, match="does not answer"):
            cut.open(NAME)


def test_what_is_not_there_is_named_as_a_missing_file(storage: ObjectStorage, prefix: str) -> None:
    for use in (storage.open, storage.size):
        with pytest.raises(FileNotFoundError) as missing:
            use(NAME)
        assert missing.value.filename == places.place_of(storage, NAME) == f"lesions/{prefix}/slices/hospital/{NAME}"


def test_a_name_cannot_lead_out_of_its_place(storage: ObjectStorage) -> None:
    for name in ("../other/001.png", "a/../../other/001.png"):
        with pytest.raises(SuspiciousOperation):
            storage.open(name)


@pytest.mark.parametrize(
    ("wrong", "kind", "sentence"),
    [
        ({"key_id": "AKIAUNKNOWN"}, StorageFailed, "does not let us in (InvalidAccessKeyId): see AWS_ACCESS_KEY_ID"),
        ({"secret": "wrong"}, StorageFailed, "does not let us in (SignatureDoesNotMatch): see AWS_ACCESS_KEY_ID"),
        ({"bucket": "none"}, StorageFailed, "the bucket none at "),
        ({"endpoint": f"http://127.0.0.1:{free_port()}"}, StorageUnreachable, "does not answer"),
    ],
    ids=["unknown key", "wrong secret", "no bucket", "no server"],
)
def test_a_bucket_that_cannot_be_used_is_one_sentence(
    s3: S3, wrong: dict[str, str], kind: type[StorageFailed], sentence: str
) -> None:
    storage = slices("hospital", **{**s3.settings("wrong"), **wrong})
    uses: list[Callable[[], object]] = [
        storage.check, lambda: storage.open(NAME), lambda: storage.save(NAME, ContentFile(b"1"))
    ]  # fmt: skip
    for use in uses:
        with pytest.raises(StorageFailed) as failed:
            use()
        assert type(failed.value) is kind
        assert sentence in str(failed.value)
        assert s3.secret not in str(failed.value)


def test_slices_go_to_the_bucket_unless_their_dataset_stays_where_it_is(settings: Settings, s3: S3) -> None:
    own, outside = Collection(slug="h"), Collection(slug="d", image_folder="/elsewhere")
    assert bucket() is None
    assert isinstance(slice_storage(own), AtomicFileStorage)
    settings.S3 = s3.settings("p")
    assert isinstance(slice_storage(own), ObjectStorage)
    assert places.local_path(slice_storage(outside), "a.png") is not None


def test_without_a_bucket_nothing_of_it_is_imported() -> None:
    program = (
        "import sys, django; django.setup()\n"
        "from datasets.models import Collection\n"
        "from datasets.storage import slice_storage\n"
        "import deeplesion_site.urls, workers.tasks\n"
        "slice_storage(Collection(slug='h'))\n"
        "sys.exit(' '.join({'boto3', 'botocore', 'storages'} & set(sys.modules)))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], cwd=configured.BASE_DIR, capture_output=True, text=True, check=False,
        env={"DJANGO_SETTINGS_MODULE": "deeplesion_site.settings", "DATA_DIR": str(configured.DATA_DIR)},
    )  # fmt: skip
    assert ended.stderr.strip() == ""


class _Cutting:
    """A way to the server that ends each connection after so many bytes in one direction."""

    def __init__(self, s3: S3, up: int = 1 << 40, down: int = 1 << 40) -> None:
        self.port = int(s3.endpoint.rpartition(":")[2])
        self.most = up, down
        self.listener = socket.create_server(("127.0.0.1", 0))

    def __enter__(self) -> str:
        threading.Thread(target=self._serve, daemon=True).start()
        return f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __exit__(self, *_: object) -> None:
        # Wakes the thread that waits for a connection.
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self.port))
            for source, target, most in ((near, far, self.most[0]), (far, near, self.most[1])):
                threading.Thread(target=_carry, args=(source, target, most), daemon=True).start()


def _carry(source: socket.socket, target: socket.socket, most: int) -> None:
    with closing(source), closing(target):
        try:
            while most > 0 and (data := source.recv(min(most, 65536))):
                target.sendall(data)
                most -= len(data)
            for end in (source, target):
                end.shutdown(socket.SHUT_RDWR)
        except OSError:
            return
