"""Make the README's screenshot: the workbench on the embedded cohort after its first round."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from tests.browser.lab import Lab
from tests.browser.walking import press_primary, wait_for_button

CELL = """from widgets import Workbench
app = Workbench("phantom", folder="run")
app"""


def main() -> None:
    """Write the picture to the path given on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", type=Path)
    parser.add_argument("--theme", default="JupyterLab Light")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, Lab(Path(folder) / "lab") as lab:
        lab.write("workbench.ipynb", [CELL])
        with lab.browser(height=768) as page:
            lab.open(page, "workbench.ipynb")
            lab.theme(page, chosen.theme)
            press_primary(page, "first suggestions")
            wait_for_button(page, "Label these", seconds=400)
            page.mouse.move(5, 5)
            page.wait_for_timeout(4000)  # the colors by Dice and loss arrive
            chosen.output.parent.mkdir(parents=True, exist_ok=True)
            page.locator(".sw-frame").first.screenshot(path=chosen.output)
    print(f"Wrote {chosen.output}.")


if __name__ == "__main__":
    main()
