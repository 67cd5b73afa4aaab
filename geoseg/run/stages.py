"""The stages of several scenes on the same workers, some scenes in each at a time.

Workers would idle while the last blocks of a scene come in, while its map is written,
and while the next one is made ready. So scenes overlap:

    make ready ─▶ hand out ─▶ infer ─▶ deliver
        1            1          4         1        scenes at a time

One scene hands out its blocks; when the last of them is out, the next one does, which
has been made ready meanwhile. What is handed out first is done first. A scene that is
done with a stage stays in it until the next one has room, so that neither unfinished
scenes pile up, nor claims that others could have, nor what delivering takes of memory.
"""

from __future__ import annotations

from collections import Counter
from threading import Condition
from typing import TYPE_CHECKING, Literal, Self, TypeAlias

if TYPE_CHECKING:
    from types import TracebackType

Stage = Literal["make ready", "hand out", "infer", "deliver"]
ROOM: dict[Stage, int] = {"make ready": 1, "hand out": 1, "infer": 4, "deliver": 1}
"""How many scenes are in a stage at a time, in the order of the stages."""
_ORDER = list(ROOM)
AT_ONCE = sum(ROOM.values())
"""How many scenes are under way at a time."""

_Turn: TypeAlias = "tuple[Stage, object]"
"""A place in the queue of a stage."""


class Stages:
    """The stages of some scenes; those of one scene alone never keep it waiting."""

    def __init__(self) -> None:
        """Begin with nobody in any."""
        self._changed, self._there = Condition(), Counter[Stage]()
        self._waiting: list[_Turn] = []
        self._halted = False

    @property
    def waiting(self) -> int:
        """How many wait for room in a stage."""
        return len(self._waiting)

    def halt(self) -> None:
        """Have every scene stop, at its next stage or look."""
        with self._changed:
            self._halted = True
            self._changed.notify_all()

    def go_on(self) -> None:
        """Raise what stops a scene, where it is to stop: what Ctrl-C does to one alone.

        Raises:
            KeyboardInterrupt: It is.

        """
        if self._halted:
            raise KeyboardInterrupt

    def move(self, at: Stage | None, to: Stage, *, wait: bool) -> bool:
        """Let a scene into a stage as soon as there is room; then it leaves the last.

        Who has waited longest comes first.

        Returns:
            Whether it is there: where it is not to wait, there may be no room.

        Raises:
            KeyboardInterrupt: It is to stop; it stays where it was.

        """
        turn = to, object()
        with self._changed:
            self._waiting.append(turn)
            self._changed.wait_for(
                lambda: not wait or self._halted or self._is_next(turn)
            )
            has_room = self._is_next(turn)
            self._waiting.remove(turn)
            self.go_on()
            if has_room:
                self._there[to] += 1
                self.leave(at)
            return has_room

    def leave(self, at: Stage | None) -> None:
        """Let others into a stage that a scene is in."""
        with self._changed:
            if at is not None:
                self._there[at] -= 1
            self._changed.notify_all()

    def _is_next(self, turn: _Turn) -> bool:
        """Whether there is room in a stage for who waits there, and is the first."""
        first = next(each for each in self._waiting if each[0] == turn[0])
        return first is turn and self._there[turn[0]] < ROOM[turn[0]]


class Passage:
    """A scene's way through stages, in a thread of its own; it ends with the block."""

    def __init__(self, stages: Stages | None = None) -> None:
        """Take stages that others go through, too; its own where there are none."""
        self._stages = stages or Stages()
        self._at: Stage | None = None

    def enter(self, stage: Stage, *, wait: bool = True) -> None:
        """Go on to a stage when there is room, or stay where there is none to wait for.

        One that is behind the scene already is passed by: a run with a mask hands out
        blocks twice, and goes no step back for it. Scenes that go forward only never
        wait for each other.

        Raises:
            KeyboardInterrupt: The scene is to stop.

        """
        reached = -1 if self._at is None else _ORDER.index(self._at)
        is_ahead = _ORDER.index(stage) > reached
        if is_ahead and self._stages.move(self._at, stage, wait=wait):
            self._at = stage

    def go_on(self) -> None:
        """Raise a KeyboardInterrupt where the scene is to stop."""
        self._stages.go_on()

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Leave the last stage to others."""
        self._stages.leave(self._at)
        self._at = None
