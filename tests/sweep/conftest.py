"""A PostgreSQL server of the tests' own, where one is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """URL of a database that nobody else uses; reached by a socket in its folder, not by the network."""
    pytest.importorskip("psycopg", reason="psycopg is not installed: sweeps on PostgreSQL are not tested")
    if shutil.which("initdb") is None or shutil.which("pg_ctl") is None:
        pytest.skip("no PostgreSQL server (initdb, pg_ctl) on this machine: sweeps on it are not tested")
    folder = Path(tempfile.mkdtemp(prefix="tintype-pg-"))  # a socket's path must be short
    user, run_as = pwd.getpwuid(os.geteuid()).pw_name, {}
    if os.geteuid() == 0:  # the server refuses to run as root
        user = "nobody"
        run_as = {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}
        shutil.chown(folder, user)
    data = folder / "data"
    quiet = {"stdout": subprocess.DEVNULL, "check": True, "cwd": folder, **run_as}
    try:
        subprocess.run(["initdb", "-D", data, "-U", "tintype", "-A", "trust", "--no-sync"], **quiet)
        options = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
        subprocess.run(["pg_ctl", "-D", data, "-o", options, "-w", "-l", folder / "log", "start"], **quiet)
        yield f"postgresql://tintype:secret@/postgres?host={folder}"
    finally:
        if (data / "postmaster.pid").exists():
            subprocess.run(["pg_ctl", "-D", data, "-m", "immediate", "-w", "stop"], **quiet)
        shutil.rmtree(folder, ignore_errors=True)
