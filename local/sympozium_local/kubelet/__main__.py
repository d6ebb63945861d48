"""The embedded kubelet as a program.

python -m sympozium_local.kubelet --kubeconfig FILE --data-dir DIR [--ready-file F]
"""

import argparse
import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from sympozium.contract.errors import PermanentError
from sympozium.kube.endpoint import Endpoint
from sympozium.runtime.loops import stop_on_signals
from sympozium.runtime.program import run_program
from sympozium_local.kubelet.kubelet import KubeletSettings, run_kubelet


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the kubelet until SIGTERM."""
    given = _parser().parse_args(arguments)
    run_program("kubelet", lambda: _run(given))


async def _run(given: argparse.Namespace) -> None:
    data_dir = Path(given.data_dir)
    settings = KubeletSettings(
        endpoint=read_kubeconfig(Path(given.kubeconfig), data_dir),
        data_dir=data_dir,
        log_socket=given.log_socket,
        allowed_host_paths=tuple(given.allow_host_path),
        drain_s=given.drain_seconds,
    )
    stop = stop_on_signals()
    ready_file: Path | None = given.ready_file
    await run_kubelet(settings, stop, on_ready=lambda _: ready_file.touch() if ready_file else None)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="sympozium_local.kubelet", description="Run this node's pods as sandboxed processes."
    )
    parser.add_argument("--kubeconfig", required=True, help="how to reach the API server")
    parser.add_argument("--data-dir", required=True, help="where logs and volumes are kept")
    parser.add_argument("--ready-file", type=Path, help="touched when pods are being run")
    parser.add_argument("--log-socket", type=Path, help="Unix socket on which logs are served")
    parser.add_argument(
        "--allow-host-path",
        type=Path,
        action="append",
        default=[],
        metavar="FOLDER",
        help="let pods mount this folder of the machine, or one inside it; may be repeated",
    )
    parser.add_argument(
        "--drain-seconds", type=float, default=3.0, help="how long pods get to end at SIGTERM"
    )
    return parser


def read_kubeconfig(path: Path, data_dir: Path) -> Endpoint:
    """Return where the current context of a kubeconfig leads, and as whom.

    What the endpoint needs as a file but the kubeconfig holds inline is written to *data_dir*.

    Raises:
        PermanentError: The file is not there, or holds no server or no token.
    """
    try:
        config = yaml.safe_load(path.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster = _named(config["clusters"], context["cluster"])["cluster"]
        user = _named(config["users"], context["user"])["user"]
        url = str(cluster["server"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise PermanentError(
            f"cannot read kubeconfig {str(path)!r}: {type(error).__name__} {error}; "
            "give one that names a current context, its cluster and its user"
        ) from error
    ca_file = _file(cluster, "certificate-authority", path, data_dir / "ca.crt")
    token_file = _file(user, "tokenFile", path, data_dir / "token")
    if token_file is None and "token" in user:
        token_file = _write(data_dir / "token", str(user["token"]).encode())
    return Endpoint(url, ca_file, token_file)


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return dict(next(entry for entry in entries if entry["name"] == name))


def _file(entry: dict[str, Any], key: str, config: Path, place: Path) -> Path | None:
    if key in entry:
        return (config.parent / str(entry[key])).resolve()
    if f"{key}-data" in entry:
        return _write(place, base64.b64decode(entry[f"{key}-data"]))
    return None


def _write(path: Path, data: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.touch(mode=0o600)
    path.write_bytes(data)
    return path


if __name__ == "__main__":
    main()
