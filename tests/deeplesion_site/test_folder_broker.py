"""The embedded broker's folder: what is broken or half-written there stops nobody."""

import json
import multiprocessing
import resource
import signal
from pathlib import Path

import pytest
from kombu import Connection, Exchange, Queue
from kombu.exceptions import ChannelError

from deeplesion_site import folder_broker

QUEUE = Queue("io", Exchange("io"), routing_key="io")


@pytest.fixture(autouse=True)
def _nothing_bound() -> None:
    """As in a process that has just begun."""
    folder_broker.Transport.global_state.clear()


def broker(folder: Path) -> Connection:
    folder_broker.use()
    for name in ("messages", "control"):
        (folder / name).mkdir(exist_ok=True)
    messages, control = str(folder / "messages"), str(folder / "control")
    options = {"data_folder_in": messages, "data_folder_out": messages, "control_folder": control}
    return Connection("filesystem://localhost", transport_options=options)


def send(folder: Path, *numbers: int) -> None:
    with broker(folder) as connection, connection.Producer() as producer:
        for number in numbers:
            producer.publish({"job_id": number}, exchange=QUEUE.exchange, routing_key="io", declare=[QUEUE])


def received(folder: Path) -> list[int]:
    with broker(folder) as connection:
        queue = connection.SimpleQueue(QUEUE)
        found = []
        for _ in range(queue.qsize()):
            try:
                message = queue.get_nowait()
            except queue.Empty:
                break
            message.ack()
            found.append(message.payload["job_id"])
        return found


def test_messages_come_in_order_and_leave_no_file(tmp_path: Path) -> None:
    send(tmp_path, 1, 2, 3)
    assert received(tmp_path) == [1, 2, 3]
    assert not list((tmp_path / "messages").iterdir())


@pytest.mark.parametrize("content", ["", '{"body": ', "[]]"])
def test_a_message_that_cannot_be_read_is_lost_and_the_next_one_comes(tmp_path: Path, content: str) -> None:
    send(tmp_path, 1)
    (tmp_path / "messages" / "0_broken.io.msg").write_text(content)
    assert received(tmp_path) == [1]


@pytest.mark.parametrize("content", ["", '[["io", "", "io"]]"]]', '["io"'])
def test_bindings_that_cannot_be_read_are_made_anew(tmp_path: Path, content: str) -> None:
    (tmp_path / "control").mkdir()
    (tmp_path / "control" / "io.exchange").write_text(content)
    send(tmp_path, 1)
    assert received(tmp_path) == [1]
    assert json.loads((tmp_path / "control" / "io.exchange").read_text()) == [["io", "", "io"]]


def _on_a_full_disk(folder: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    with pytest.raises(ChannelError):
        send(folder, 2)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    send(tmp_path, 1)
    sender = multiprocessing.get_context("fork").Process(target=_on_a_full_disk, args=(tmp_path,))
    sender.start()
    sender.join(30)
    assert sender.exitcode == 0
    assert received(tmp_path) == [1]
    assert not list((tmp_path / "messages").iterdir())


def _bind(folder: Path, barrier: "multiprocessing.synchronize.Barrier") -> None:
    with broker(folder) as connection:
        barrier.wait(30)
        QUEUE(connection.default_channel).declare()


def test_processes_that_bind_at_the_same_moment_leave_one_whole_table(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    for turn in range(20):
        folder = tmp_path / str(turn)
        folder.mkdir()
        broker(folder).release()
        barrier = context.Barrier(3)
        binding = [context.Process(target=_bind, args=(folder, barrier)) for _ in range(3)]
        for each in binding:
            each.start()
        for each in binding:
            each.join(30)
        assert [each.exitcode for each in binding] == [0, 0, 0]
        assert json.loads((folder / "control" / "io.exchange").read_text()) == [["io", "", "io"]]
