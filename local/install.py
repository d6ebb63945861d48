"""Makes `.venv` hold what the lock file says, and the project itself; does nothing when it does.

Needs nothing but a Python. It must be readable by old ones, too, so that they can
be told that they are too old.
"""

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

OLDEST = (3, 11)
NO_NETWORK = (
    "Temporary failure in name resolution",
    "Name or service not known",
    "Failed to establish a new connection",
    "Network is unreachable",
    "Connection refused",
    "Max retries exceeded",
    "ProxyError",
    "ConnectTimeoutError",
    "Read timed out",
)
"""What pip prints when it cannot reach an index."""

PLAIN_PAUSE_S = 5.0
"""Between two lines about the progress where there is no terminal."""


class CannotInstall(Exception):  # noqa: N818 - read as a sentence: it is the only one here
    """Why not, in a sentence with what to do."""


def check_machine(platform: str = sys.platform) -> None:
    """Refuse a Python or an operating system that cannot run the project.

    Raises:
        CannotInstall: It says which is needed.
    """
    if sys.version_info < OLDEST:
        found = ".".join(str(part) for part in sys.version_info[:3])
        raise CannotInstall(
            f"cannot install: {sys.executable} is Python {found}, and 3.11 or newer is needed; "
            "name a newer one: make up PYTHON=python3.11"
        )
    if not platform.startswith("linux"):
        raise CannotInstall(
            f"cannot install: this is {platform}, and runs are walled off by features of Linux; "
            "use a Linux machine, a virtual one or WSL 2"
        )


def check_venv_module() -> None:
    """Refuse a Python that cannot make virtual environments.

    Raises:
        CannotInstall: With the package that brings it on Debian.
    """
    try:
        import ensurepip
        import venv
    except ImportError:
        raise CannotInstall(
            f"cannot install: {sys.executable} has no venv module; on Debian and Ubuntu install "
            "the package python3-venv (sudo apt install python3-venv), or name another Python: "
            "make up PYTHON=..."
        ) from None
    del ensurepip, venv


def install(root: Path) -> bool:
    """Bring `.venv` up to date and return whether anything had to be done.

    Raises:
        CannotInstall: A sentence for the person who waits.
    """
    venv = root / ".venv"
    stamp = venv / ".installed"
    wanted = fingerprint(root)
    if stamp.exists() and stamp.read_text() == wanted and runs(venv):
        return False
    check_venv_module()
    if not runs(venv):
        say(f"making the virtual environment {venv}")
        make_venv(venv)
    lock = str(root / "requirements.lock")
    say(f"installing what {lock} names; the first time this takes a minute or two")
    pip(venv, "--require-hashes", "-r", lock)
    pip(venv, "--no-deps", "--no-build-isolation", "-e", str(root))
    compile_sources(venv, root)
    stamp.write_text(wanted)
    return True


def fingerprint(root: Path) -> str:
    """Return a text that differs when something else must be installed."""
    digest = hashlib.sha256()
    for name in ("requirements.lock", "pyproject.toml"):
        try:
            digest.update((root / name).read_bytes())
        except OSError as error:
            raise CannotInstall(
                f"cannot install: '{root / name}' cannot be read ({error.strerror}); "
                "use a complete checkout"
            ) from None
    return digest.hexdigest() + "\n" + str(root) + "\n"


def runs(venv: Path) -> bool:
    """Return whether the environment's Python is there, works, and is new enough."""
    probe = f"import sys; sys.exit(sys.version_info < {OLDEST!r})"
    try:
        done = subprocess.run([str(venv / "bin" / "python"), "-c", probe], check=False)
    except OSError:
        return False
    return done.returncode == 0


def make_venv(venv: Path) -> None:
    """Make a new environment in place of whatever is there."""
    if venv.exists():
        shutil.rmtree(str(venv))
    done = subprocess.run(
        [sys.executable, "-m", "venv", str(venv)], stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        said = done.stdout.decode(errors="replace").strip().splitlines()
        raise CannotInstall(
            "cannot make the virtual environment '{}': {}; see that the folder can be written "
            "and that Python's package python3-venv is installed".format(
                venv, said[-1] if said else "python -m venv failed"
            )
        )


def pip(venv: Path, *arguments: str) -> None:
    """Run `pip install`, telling how far it is."""
    command = [str(venv / "bin" / "python"), "-m", "pip", "install", "--progress-bar", "off"]
    command += ["--disable-pip-version-check", "--no-input", "--retries", "2", *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = follow(process)
    if process.wait():
        raise CannotInstall(explain(said))


def compile_sources(venv: Path, root: Path) -> None:
    """Compile the project's own modules, so that the first start does not wait for it."""
    folders = ("src", "channels", "router", "controller", "agent_image", "local")
    there = [str(root / folder) for folder in folders if (root / folder).is_dir()]
    command = [str(venv / "bin" / "python"), "-m", "compileall", "-q", *there]
    subprocess.run(command, check=False)  # what it cannot write is compiled at each start


def follow(process: "subprocess.Popen[bytes]") -> str:
    """Show what pip works on, and return all that it said."""
    said = []
    shown = time.monotonic()
    assert process.stdout is not None  # noqa: S101 - asked for by the caller
    for raw in process.stdout:
        line = raw.decode(errors="replace").rstrip()
        said.append(line)
        words = line.split()
        if words[:1] not in (["Collecting"], ["Downloading"], ["Installing"], ["Building"]):
            continue
        text = " ".join(words[:2]) if words[0] != "Installing" else "Installing the packages"
        if sys.stdout.isatty():
            sys.stdout.write(f"\r\033[K  {text[:70]}")
            sys.stdout.flush()
        elif time.monotonic() - shown > PLAIN_PAUSE_S:
            shown = time.monotonic()
            say(text)
    if sys.stdout.isatty():
        sys.stdout.write("\r\033[K")
    return "\n".join(said)


def explain(said: str) -> str:
    """Return a sentence for what pip said when it failed."""
    if "No space left on device" in said:
        return "cannot install: the disk is full; make room for about 500 MB and run it again"
    if any(sign in said for sign in NO_NETWORK):
        return (
            "cannot install: no package index can be reached; connect this machine to the "
            "internet, or set PIP_INDEX_URL to a mirror that it can reach, and run it again"
        )
    errors = [line for line in said.splitlines() if line.startswith("ERROR")]
    last = (errors or said.splitlines() or ["pip said nothing"])[-1]
    return f"cannot install: {last}; run it again, or delete .venv and start anew"


def say(text: str) -> None:
    """Write one line at once."""
    sys.stdout.write(f"  {text}\n")
    sys.stdout.flush()


def main() -> None:
    """Install; a failure is one sentence and exit code 1."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=Path(__file__).resolve().parent.parent)
    root = parser.parse_args().root
    try:
        check_machine()
        begun = time.monotonic()
        if install(root):
            say(f"installed in {time.monotonic() - begun:.0f} s")
    except CannotInstall as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(1) from None
    except OSError as error:
        sys.stderr.write(
            f"cannot install in '{root}': {error.strerror or error}; see that you may write there\n"
        )
        raise SystemExit(1) from None


if __name__ == "__main__":
    os.environ.pop("PYTHONHOME", None)
    main()
