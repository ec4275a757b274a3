"""When images and layers are done: progress that others wait for, and the rhythm in which images complete."""

from __future__ import annotations

import numpy as np
import simpy
from numpy.typing import NDArray

Waits = NDArray[np.float64]
# Relative difference of intervals that count as equal, and how often a rhythm has to repeat to be believed.
SAME, REPEATS = 1e-9, 3


class Progress:
    """How far a layer has come, from 0 to 1, and who waits for it."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env = env
        self.value = -1.0
        self.waiting: list[tuple[float, simpy.Event]] = []

    def at_least(self, share: float) -> simpy.Event:
        """An event that fires once the layer has come so far (0: once a first part of it is done)."""
        event = self.env.event()
        if self._reached(share):
            event.succeed()
        else:
            self.waiting.append((share, event))
        return event

    def advance(self, share: float) -> None:
        """The layer has come so far."""
        self.value = max(self.value, share)
        ready = [event for wanted, event in self.waiting if self._reached(wanted)]
        self.waiting = [(wanted, event) for wanted, event in self.waiting if not self._reached(wanted)]
        for event in ready:
            event.succeed()

    def _reached(self, share: float) -> bool:
        return self.value > 0.0 if share == 0.0 else self.value >= share - 1e-12


class Rhythm:
    """Completions of images: once they repeat, the images between are left out.

    With ``in_flight`` images at once completions repeat after at most as many. After :data:`REPEATS` equal rounds of
    p intervals, all images but the rest of a round and those that drain the pipeline would only repeat them:

        makespan(N) = makespan(n) + (N - n) / p * (sum of p intervals),   (N - n) a multiple of p    (Eq. 6)
    """

    def __init__(self, images: int, in_flight: int, settles: bool) -> None:
        self.images, self.in_flight, self.settles = images, in_flight, settles
        self.limit = images
        self.started = 0
        self.ends: list[float] = []
        self.waits: list[Waits] = []
        self.left_out = self.times = 0
        self.period_s = 0.0
        self.period_waits: Waits | None = None

    def completed(self, now: float, waits: Waits) -> None:
        """An image is complete; ``waits`` are the sums of all units so far."""
        self.ends.append(now)
        if not self.settles or self.left_out:
            return
        self.waits.append(waits.copy())
        for period in range(1, min(self.in_flight, self.images) + 1):
            if self._repeats(period):
                times = (self.images - self.started) // period
                if times > 0:
                    self.left_out = times * period
                    self.limit = self.images - self.left_out
                    self.period_s = self.ends[-1] - self.ends[-1 - period]
                    self.period_waits = self.waits[-1] - self.waits[-1 - period]
                    self.times = times
                return

    def _repeats(self, period: int) -> bool:
        gaps = np.diff(self.ends[-(REPEATS * period + 1) :])
        if gaps.size < REPEATS * period:
            return False
        rounds = gaps.reshape(REPEATS, period)
        return bool(np.all(np.abs(rounds - rounds[-1]) <= SAME * max(float(gaps.max()), 1e-300)))

    @property
    def left_out_s(self) -> float:
        """Time that the images left out would have taken."""
        return self.times * self.period_s
