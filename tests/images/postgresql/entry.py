"""Starts PostgreSQL as the upstream image's entry point does, with the variables that it reads.

An empty PGDATA becomes a database cluster whose superuser is POSTGRES_USER with the
password in POSTGRES_PASSWORD or in the file POSTGRES_PASSWORD_FILE, and in it the database
POSTGRES_DB. Nobody connects over the network without the password.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path


def value(environ: Mapping[str, str], name: str, default: str = "") -> str:
    """Return what a variable says, or the file that it names; both at once are refused."""
    in_file = environ.get(f"{name}_FILE", "")
    if in_file and environ.get(name):
        raise SystemExit(f"cannot start: both {name} and {name}_FILE are set; keep one")
    if in_file:
        return Path(in_file).read_text().strip()
    return environ.get(name) or default


def initialise(data: Path, environ: Mapping[str, str]) -> None:
    """Make the database cluster in *data*."""
    user = value(environ, "POSTGRES_USER", "postgres")
    database = value(environ, "POSTGRES_DB", user)
    password = value(environ, "POSTGRES_PASSWORD")
    if not password:
        raise SystemExit("cannot make a database: set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE")
    with tempfile.NamedTemporaryFile("w", dir=environ.get("TMPDIR", "/tmp")) as file:
        file.write(password + "\n")
        file.flush()
        subprocess.run(
            [
                "initdb",
                "-D",
                str(data),
                "-U",
                user,
                "--pwfile",
                file.name,
                "--auth-local",
                "trust",
                "--auth-host",
                "scram-sha-256",
            ],
            check=True,
        )
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("\nhost all all all scram-sha-256\n")
    if database != "postgres":
        quoted = database.replace('"', '""')
        statement = f'CREATE DATABASE "{quoted}"\n'
        command = ["postgres", "--single", "-D", str(data), "-j", "postgres"]
        subprocess.run(command, input=statement, text=True, check=True)


def main(arguments: Sequence[str]) -> None:
    """Become the server, or whatever other command is asked for."""
    command = list(arguments) or ["postgres"]
    if command[0].startswith("-"):
        command.insert(0, "postgres")
    if command[0] == "postgres":
        data = Path(os.environ["PGDATA"])
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not (data / "PG_VERSION").exists():
            initialise(data, os.environ)
        command[1:1] = ["-D", str(data), "-c", "listen_addresses=*"]
    os.execvp(command[0], command)  # noqa: S606 - this is what an entry point is for


if __name__ == "__main__":
    main(sys.argv[1:])
