"""JupyterLab with a real browser, for tests, benchmarks and screenshots.

The server listens on loopback at a free port, keeps its settings in folders of
its own, and serves notebooks made from lists of cells. A page is driven with
Playwright: real mouse, real keys.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import nbformat
from playwright.sync_api import Page, sync_playwright

from tests.browser.find_browser import find_browser

ROOT = Path(__file__).parent.parent.parent
FLAGS = (
    *("--no-sandbox", "--disable-quic", "--no-first-run", "--disable-background-networking"),
    *("--disable-component-update", "--disable-sync", "--disable-dev-shm-usage"),
    "--hide-scrollbars",
)
QUIET = {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True}


#: Resolves when the kernel answers; folds the file list away to make room.
READY = """async () => {
  const app = window.jupyterapp;
  const context = app.shell.currentWidget.sessionContext;
  await context.ready;
  await context.session.kernel.info;
  if (!app.shell.leftCollapsed) await app.commands.execute('application:toggle-left-area');
  return true;
}"""
#: Resolves when all cells have run; rejects after so many milliseconds.
RUN = """(limit) => Promise.race([
  window.jupyterapp.commands.execute('notebook:run-all-cells').then(() => true),
  new Promise((_, reject) => setTimeout(() => reject('The cells took too long.'), limit)),
])"""


class LabError(RuntimeError):
    """JupyterLab did not do what a test needs."""


class Lab:
    """A JupyterLab server of its own.

    Parameters
    ----------
    folder : Path
        Empty; gets the notebooks, the settings and the server's log.
    environment : mapping of str to str
        Added to the server's and the kernels' environment.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.notebooks = folder / "notebooks"
        self.notebooks.mkdir(parents=True)
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            self.port = listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._environment = self._own_environment(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    def _own_environment(self, added: Mapping[str, str]) -> dict[str, str]:
        kinds = ("CONFIG_DIR", "DATA_DIR", "RUNTIME_DIR")
        own = {f"JUPYTER_{kind}": str(self.folder / kind.lower()) for kind in kinds}
        own["JUPYTERLAB_SETTINGS_DIR"] = str(self.folder / "settings")
        own["JUPYTERLAB_WORKSPACES_DIR"] = str(self.folder / "workspaces")
        own["IPYTHONDIR"] = str(self.folder / "ipython")
        path = [str(ROOT), os.environ.get("PYTHONPATH", "")]
        own["PYTHONPATH"] = os.pathsep.join(filter(None, path))
        settings = self.folder / "settings" / "@jupyterlab" / "apputils-extension"
        settings.mkdir(parents=True)
        (settings / "notification.jupyterlab-settings").write_text(json.dumps(QUIET))
        return {**os.environ, **own, **added}

    def __enter__(self) -> Lab:
        command = [
            *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
            *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={self.port}"),
            *("--ServerApp.port_retries=0", f"--ServerApp.root_dir={self.notebooks}"),
            *("--ServerApp.password=", "--IdentityProvider.token="),
            *("--LabApp.expose_app_in_browser=True", "--LabApp.extension_manager=readonly"),
        ]
        log = (self.folder / "server.log").open("wb")
        self._process = subprocess.Popen(
            command, env=self._environment, stdout=log, stderr=subprocess.STDOUT
        )
        log.close()
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/api", timeout=2):
                return self
            if self._process.poll() is not None:
                break
            time.sleep(0.2)
        self.__exit__()
        said = (self.folder / "server.log").read_text(errors="replace")[-1500:]
        raise LabError(f"JupyterLab did not start on port {self.port}. It said: {said}")

    def __exit__(self, *_error: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(5)

    @property
    def pid(self) -> int | None:
        """Process number of the server, once it was started."""
        return None if self._process is None else self._process.pid

    def write(self, name: str, cells: Sequence[str]) -> None:
        """Make a notebook of code cells."""
        notebook = nbformat.v4.new_notebook(
            cells=[nbformat.v4.new_code_cell(source) for source in cells],
            metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        )
        nbformat.write(notebook, self.notebooks / name)

    @contextlib.contextmanager
    def browser(
        self, width: int = 1366, height: int = 1400, scheme: str = "light"
    ) -> Iterator[Page]:
        """A page of a browser that was started for it."""
        with sync_playwright() as playwright:
            chromium = playwright.chromium.launch(executable_path=find_browser(), args=list(FLAGS))
            try:
                context = chromium.new_context(
                    viewport={"width": width, "height": height}, color_scheme=scheme
                )
                page = context.new_page()
                page.set_default_timeout(30_000)
                yield page
            finally:
                chromium.close()

    def open(self, page: Page, name: str, timeout: float = 120.0) -> None:
        """Open a notebook and run all its cells; return when they have run.

        Raises
        ------
        LabError
            If a cell fails.
        """
        page.goto(f"{self.url}/lab/tree/{name}?reset", wait_until="domcontentloaded")
        page.wait_for_function("() => window.jupyterapp", timeout=60_000)
        page.evaluate("() => window.jupyterapp.restored.then(() => true)")
        page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
        page.evaluate(READY)
        page.evaluate(RUN, timeout * 1000)
        failed = page.query_selector('.jp-OutputArea-output[data-mime-type*="error"]')
        if failed is not None:
            raise LabError(f"A cell of {name} failed: {failed.inner_text()[-1500:]}")

    def theme(self, page: Page, name: str) -> None:
        """Switch to "JupyterLab Light" or "JupyterLab Dark"."""
        page.evaluate(
            "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})", name
        )
        page.wait_for_function(
            "(theme) => document.body.dataset.jpThemeName === theme", arg=name, timeout=15_000
        )
        page.wait_for_timeout(400)
