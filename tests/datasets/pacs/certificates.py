"""An authority of our own and certificates that it vouches for, made by openssl."""

import subprocess
from pathlib import Path


def authority(folder: Path) -> Path:
    """Make `ca.pem` with its key."""
    folder.mkdir(parents=True, exist_ok=True)
    key = folder / "ca.key"
    _openssl("req", "-x509", *_new(key), "-days", "2", "-subj", "/CN=Our authority", "-out", folder / "ca.pem")
    return folder / "ca.pem"


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a certificate for 127.0.0.1 that `authority(folder)` vouches for; give it and its key."""
    key, request, signed, names = (folder / f"{name}.{kind}" for kind in ("key", "csr", "pem", "ext"))
    names.write_text("subjectAltName=IP:127.0.0.1\n")
    _openssl("req", *_new(key), "-subj", f"/CN={name}", "-out", request)
    _openssl(
        "x509", "-req", "-in", request, "-CA", folder / "ca.pem", "-CAkey", folder / "ca.key", "-CAcreateserial",
        "-days", "2", "-extfile", names, "-out", signed,
    )  # fmt: skip
    return signed, key


def _new(key: Path) -> list[str | Path]:
    return ["-nodes", "-newkey", "rsa:2048", "-keyout", key]


def _openssl(*arguments: str | Path) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)
