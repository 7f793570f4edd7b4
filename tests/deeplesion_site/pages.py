"""What a visitor reads on a page."""

import re

from django.test import Client


def text(client: Client, address: str, code: int = 200) -> str:
    answer = client.get(address)
    assert answer.status_code == code
    return answer.content.decode()


def words(page: str) -> str:
    """The page without its marks, on one line."""
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def order(page: str) -> list[int]:
    return [int(pk) for pk in re.findall(r'scope="row"><a href="/runs/(\d+)/"', page)]
