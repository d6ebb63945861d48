"""The commands of docs/operations.md, run as they stand there."""

import re
import subprocess
from pathlib import Path

from sympozium_images.builders import ROOT
from tests.kube.cluster import Clients

PAGE = ROOT / "docs" / "operations.md"
TIMEOUT_S = 500.0


def blocks(heading: str) -> list[str]:
    """Return the blocks of commands below a heading of the page, up to the next heading."""
    _, _, after = PAGE.read_text().partition(f"\n### {heading}\n")
    section = re.split(r"^##", after, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^```sh\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def run(clients: Clients, folder: Path, *commands: str) -> str:
    """Run blocks in one shell that ends at the first failure; return what they said."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
        cwd=folder,
        env=clients.environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout
