"""Start JupyterLab on one notebook, and say where it is in one line.

The server runs in this process, so that the address can be printed when the
port is known, after everything else, and so that Ctrl-C stops it at once. What
it does differently from a plain ``jupyter lab`` is for this server only: the
folder ``jupyter`` beside this file answers the question about Jupyter's news, and
no file of the user's settings is written.
"""

from __future__ import annotations

import getpass
import logging
import os
import signal
import socket
from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer

__all__ = ["serve"]


def serve(notebook: Path, port: int, *, browser: bool) -> None:
    """Open a notebook in JupyterLab on this machine; return when it was stopped.

    Parameters
    ----------
    notebook : Path
        The notebook; its folder becomes the server's.
    port : int
        First port that is tried; the next free one is taken.
    browser : bool
        Open a browser, unless this is a session over SSH.
    """
    import zmq
    from jupyterlab.labapp import LabApp

    page = f"lab/tree/{quote(notebook.name)}"
    remote = "SSH_CONNECTION" in os.environ
    options = [
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={port}",
        f"--ServerApp.root_dir={notebook.resolve().parent}",
        f"--ServerApp.open_browser={browser and not remote}",
        f"--LabApp.default_url=/{page}",
        "--Application.log_level=WARN",
    ]
    if zmq.has("curve"):  # what goes to and from the kernel is encrypted, else it warns
        options.append("--MappingKernelManager.transport_encryption=auto")
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        options.append("--allow-root")
    settings = (os.environ.get("JUPYTER_CONFIG_PATH"), str(Path(__file__).parent / "jupyter"))
    os.environ["JUPYTER_CONFIG_PATH"] = os.pathsep.join(filter(None, settings))
    server = LabApp.initialize_server(argv=options)
    server.identity_provider.token_generated = False  # else Jupyter prints addresses of its own
    _sign(notebook, server.contents_manager.notary)
    logging.getLogger("tornado.general").addFilter(_is_news)

    def stop(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)  # a second Ctrl-C does not wait
        server.stop(from_signal=True)

    signal.signal(signal.SIGINT, stop)
    server.io_loop.add_callback(_announce, server, page, remote)
    server.start()
    typer.echo("JupyterLab was stopped.")


def _is_news(record: logging.LogRecord) -> bool:
    """Leave out a warning that tornado gives about Jupyter's own, working, times of pings.

    The times stay as they are: a timeout as short as tornado asks for would end every
    connection before its first ping.
    """
    return "websocket_ping_timeout" not in record.getMessage()


def _sign(notebook: Path, notary: Any) -> None:
    """Sign a notebook in which nothing could run by itself, as Jupyter does when it saves one."""
    import nbformat

    content = nbformat.read(notebook, as_version=4)  # type: ignore[no-untyped-call]
    valid = nbformat.validator.isvalid(content)  # type: ignore[no-untyped-call]
    if valid and notary.check_cells(content):
        notary.sign(content)


def _announce(server: Any, page: str, remote: bool) -> None:
    """Print the address of a page, last; before it how to reach it from another computer."""
    if remote:
        typer.echo(
            f"On the computer you sit at, first forward the port, in a terminal of its own:\n"
            f"    ssh -N -L {server.port}:127.0.0.1:{server.port} "
            f"{getpass.getuser()}@{socket.gethostname()}"
        )
    typer.echo("JupyterLab is running; Ctrl-C stops it, and what was trained is kept.")
    token = server.identity_provider.token
    query = f"?token={token}" if token else ""
    typer.echo(f"Open this address: {server.connection_url}{page}{query}")
