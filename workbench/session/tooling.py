"""Tools that draw in the kernel, and what they see: the canvas and what is around it."""

from __future__ import annotations

from typing import Any

from workbench.annotation.canvas import Canvas, Neighbor
from workbench.errors import WorkbenchError
from workbench.session.reviewing import ReviewingSession

__all__ = ["ToolSession"]


class ToolSession(ReviewingSession):
    """A session whose canvas takes the strokes of tools that are computed."""

    def apply_tool(self, name: str, **parameters: Any) -> None:
        """Draw with a tool that is computed here, such as superpixels.

        Parameters
        ----------
        name : str
            A key of `workbench.annotation.tools.TOOLS`, whose values take a `Canvas` and the
            parameters, and return the label map.
        **parameters
            Of the tool; ``active_seconds`` is that of `draw`.
        """
        from workbench.annotation.tools import TOOLS

        seconds = float(parameters.pop("active_seconds", 0.0))
        with self._background.lock:
            if self._on_canvas() is None:
                return
            if name not in TOOLS:
                self._refuse(f"There is no tool {name!r}. Choose one of {', '.join(TOOLS)}.")
                return
            canvas = self.canvas()
            try:
                classes = TOOLS[name](canvas, **parameters)
            except WorkbenchError as error:
                self._refuse(error)
                return
            self.draw(classes, tool=name, active_seconds=seconds)

    def canvas(self) -> Canvas:
        """Return the slice that is drawn on with what is around it, for tools and views."""
        assert self.editing is not None
        row, depth = self.editing.row, self.editing.depth
        image = self.images.read([row])[0]
        return Canvas(
            image=image[:, depth] if image.ndim == 4 else image,
            classes=self.editing.classes,
            class_count=len(self.labels.classes),
            spacing=self._spacing(row),
            before=self._neighbor(row, depth, -1),
            after=self._neighbor(row, depth, 1),
        )

    def _neighbor(self, row: int, depth: int, direction: int) -> Neighbor | None:
        """Find the nearest slice of the case that this person has drawn or anybody answered."""
        own, ids = self.pool.ids[row], self.pool.ids
        for distance in range(1, len(ids)):
            if self._depths > 1:
                place = (row, depth + direction * distance)
                inside = 0 <= place[1] < self._depths
            else:
                place = (row + direction * distance, 0)
                inside = 0 <= place[0] < len(ids) and ids[place[0]].case == own.case
            if not inside:
                return None
            drawn = self._unsaved.get((*place, self.annotator))
            if drawn is not None:
                return Neighbor(distance, drawn.classes)
            number = self._number_at(*place)
            if number:
                return Neighbor(distance, self._read_map(number))
        return None
