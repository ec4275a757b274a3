"""A unit that serves one tile at a time, an outer memory among them: who is next, and when it refreshes."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal

import simpy

from cosim.kernels.flow_shop import service_end

Arbitration = Literal["fcfs", "round_robin", "priority"]
# Behind the priorities of SimPy's own events (0 and 1) in the same instant.
_LAST = 2


@dataclass(frozen=True)
class Refresh:
    """An outer memory serves nothing for ``duration_s`` of every ``interval_s``; its channels take turns.

    A transfer is spread over all ``channels`` and ends with the slowest.
    """

    interval_s: float
    duration_s: float
    channels: int = 1

    def __post_init__(self) -> None:
        if not 0 < self.duration_s < self.interval_s:
            raise ValueError(
                f"refresh: found {self.duration_s:g} s of every {self.interval_s:g} s, allowed a duration above 0 "
                "and below the interval"
            )
        if self.channels < 1:
            raise ValueError(f"refresh: found {self.channels} channels, allowed at least 1")

    @property
    def share(self) -> float:
        """Share of the time in which one channel serves nothing."""
        return self.duration_s / self.interval_s


@dataclass
class Turn:
    """A request for a unit: granted when ``event`` fires."""

    owner: int
    event: simpy.Event


class _Decision(simpy.Event):  # type: ignore[misc]
    """An event that has happened as soon as its turn comes; SimPy's own cannot be put behind those of an instant."""

    def __init__(self, env: simpy.Environment) -> None:
        super().__init__(env)
        self._ok, self._value = True, None


class Server:
    """One unit. ``owner`` of a request is the number of its program: whom arbitration treats as one.

    fcfs: in order of arrival. round_robin: the next owner after the last served, in order of arrival within one.
    priority: the lowest owner first. Whoever asks in the instant in which the unit gets free takes part. A tile in
    service is never interrupted.
    """

    def __init__(
        self, env: simpy.Environment, arbitration: Arbitration = "fcfs", refresh: Refresh | None = None
    ) -> None:
        self.env = env
        self.arbitration = arbitration
        self.refresh = refresh
        self.waiting: deque[Turn] = deque()
        self.taken = False
        self.deciding = False
        self.last_owner = -1

    def request(self, owner: int) -> simpy.Event:
        """An event that fires when it is the caller's turn; :meth:`release` ends the turn."""
        turn = Turn(owner, self.env.event())
        self.waiting.append(turn)
        self._decide()
        return turn.event

    def release(self) -> None:
        """End the turn."""
        self.taken = False
        self._decide()

    def service_s(self, work_s: float) -> float:
        """How long it takes from now to serve ``work_s``, refresh included."""
        if self.refresh is None:
            return work_s
        now = float(self.env.now)
        end = service_end(
            now, work_s, self.refresh.interval_s, self.refresh.duration_s, self.refresh.channels
        )
        return float(end) - now

    def _decide(self) -> None:
        """Choose who is next once everything else of this instant has happened."""
        if self.taken or self.deciding or not self.waiting:
            return
        self.deciding = True
        decision = _Decision(self.env)
        decision.callbacks.append(self._grant)
        self.env.schedule(decision, priority=_LAST)

    def _grant(self, _: simpy.Event) -> None:
        self.deciding = False
        turn = self.waiting[self._next()]
        self.waiting.remove(turn)
        self.taken = True
        self.last_owner = turn.owner
        turn.event.succeed()

    def _next(self) -> int:
        """Place in the queue of whoever is next."""
        if self.arbitration == "fcfs" or len(self.waiting) == 1:
            return 0
        owners = [turn.owner for turn in self.waiting]
        if self.arbitration == "priority":
            return owners.index(min(owners))
        later = [owner for owner in owners if owner > self.last_owner]
        return owners.index(min(later) if later else min(owners))
