"""The search itself: which points are tried, by Optuna, and what comes of them.

Every point is first computed (feasible.py); one that is refused is never trained, and its excess
tells the sampler where the limits are. Where the points within the limits are no more than the
trials that were asked for, all of them are tried: a grid. Else, where they can be counted, the
guide chooses among them (guide.py). In a larger space tree-structured Parzen estimators do
(Bergstra et al., "Algorithms for Hyper-Parameter Optimization", NeurIPS 2011; with several
objectives and constraints: Ozaki et al., JAIR 2022, and Watanabe and Hutter, IJCAI 2023).

The study may be a journal in a file, which several processes and machines share: what one has
tried, no other tries again.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import InputError
from .feasible import Costs, Verdict, Way
from .front import Values, front
from .guide import Guide
from .space import Point, Space

_COUNTED = 20_000  # points up to which those within the limits are counted: seconds
_STARTUP = 10  # random trials before the estimators choose
_ASKS = 50  # proposals per trial at most: refused ones and ones that were tried before
_OVER = "over"
_ACCURACY = "accuracy"


class Tried(NamedTuple):
    """A point that was trained, with the ways that stay within the limits."""

    point: Point
    accuracy: float
    ways: list[Way]


class Outcome(NamedTuple):
    """The result of a search. fitting: points within the limits, None: not counted. refused:
    proposals that were not trained. trained: trials of this process. grid: whether all points
    within the limits were to be tried. nearest: where none is, the point that is the least over
    them."""

    tried: list[Tried]
    points: int
    fitting: int | None
    refused: int
    trained: int
    grid: bool
    nearest: tuple[Point, Verdict] | None = None


class Choice(NamedTuple):
    """A point with one of its ways."""

    point: Point
    accuracy: float
    way: Way


def objectives(choice: Choice, limits: Mapping[str, float]) -> Values:
    """Accuracy, and the share of each limit that is left: the larger the better."""
    left = (1 - choice.way.cost(name) / most for name, most in limits.items())
    return (choice.accuracy, *left)


def choices(tried: list[Tried]) -> list[Choice]:
    """Every way of every point that was trained."""
    return [Choice(one.point, one.accuracy, way) for one in tried for way in one.ways]


def pareto(tried: list[Tried], limits: Mapping[str, float]) -> list[tuple[Values, Choice]]:
    """The choices that no other dominates, the most accurate first."""
    return front([(objectives(choice, limits), choice) for choice in choices(tried)])


def optuna_module() -> Any:
    """Optuna. Raises InputError where it is not installed."""
    try:
        import optuna
    except ImportError:
        raise InputError(
            "expected Optuna, which searches, got none; install it with: "
            "pip install 'engram[search]'"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    return optuna


class Study:
    """A search over a Space.

    costs: of its points. accuracy: function of a Point, the short run. name: of the study: one
    whose settings differ has another. storage: the journal's file, None: in memory.
    """

    def __init__(
        self,
        space: Space,
        costs: Costs,
        accuracy: Callable[[Point], float],
        *,
        seed: int = 1,
        name: str = "engram",
        storage: Path | None = None,
    ) -> None:
        optuna = optuna_module()
        self.space, self.costs, self._accuracy, self._seed = space, costs, accuracy, seed
        self.limits = {key: getattr(costs.limits, key) for key in costs.limits.given()}
        self._free = [key for key, values in space.choices.items() if len(values) > 1]
        self._distributions = {
            key: optuna.distributions.IntDistribution(0, len(space.choices[key]) - 1)
            for key in self._free
        }
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what Optuna calls experimental
            self._sampler = optuna.samplers.TPESampler(
                seed=seed,
                multivariate=True,
                n_startup_trials=_STARTUP,
                constraints_func=lambda trial: trial.user_attrs.get(_OVER, [0.0]),
            )
            self._study = optuna.create_study(
                study_name=name,
                directions=["maximize"] * (1 + len(self.limits)),
                sampler=self._sampler,
                storage=None if storage is None else _journal(optuna, storage),
                load_if_exists=True,
            )
        self._complete = optuna.trial.TrialState.COMPLETE

    def run(
        self,
        trials: int,
        minutes: float | None = None,
        on_trial: Callable[[Tried], None] = lambda _: None,
    ) -> Outcome:
        """Tries up to `trials` points, those of other processes included, for `minutes` at most.

        on_trial: called with each point that is trained here.
        """
        fitting = self._fitting()
        if fitting == []:
            point = self._nearest()
            nearest = point, self.costs.verdict(point)
            return Outcome([], len(self.space), 0, len(self.space), 0, True, nearest)
        grid = fitting is not None and len(fitting) <= trials
        until = float("inf") if minutes is None else time.monotonic() + 60 * minutes
        refused = trained = asks = 0
        known = self._known()
        guide = None
        if fitting:
            guide = Guide(self.space, fitting, self._left, self._seed)
            self._study.sampler = optuna_module().samplers.RandomSampler()  # is not asked
        while len(known) < trials and time.monotonic() < until and asks < _ASKS * trials:
            if guide is not None:
                proposal = guide.next(known)
                if proposal is None:
                    break
                self._study.enqueue_trial(self._params(proposal))
            asks += 1
            trial, point = self._asked()
            verdict = self.costs.verdict(point)
            if not verdict.fits:
                refused += 1
                self._tell(trial, verdict, 0.0)
                continue
            place = self.space.place(point)
            is_new = place not in known
            value = self._accuracy(point) if is_new else known[place]
            trial.set_user_attr(_ACCURACY, value)
            self._tell(trial, verdict, value)
            if is_new:
                trained += 1
                on_trial(Tried(point, value, verdict.ways))
            known = self._known()
        count = None if fitting is None else len(fitting)
        return Outcome(self._tried(), len(self.space), count, refused, trained, grid)

    def _left(self, point: Point) -> list[tuple[float, ...]]:
        """The share of each limit that the ways of a point leave."""
        ways = self.costs.verdict(point).ways
        return [tuple(1 - way.cost(key) / most for key, most in self.limits.items())
                for way in ways]  # fmt: skip

    def _asked(self) -> tuple[Any, Point]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trial = self._study.ask(self._distributions)
        places = dict(trial.params)
        return trial, {
            key: values[places.get(key, 0)] for key, values in self.space.choices.items()
        }

    def _tell(self, trial: Any, verdict: Verdict, accuracy: float) -> None:
        trial.set_user_attr(_OVER, [verdict.over.get(name, 0.0) for name in verdict.over])
        left = [-verdict.over.get(name, 0.0) for name in self.limits]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self._study.tell(trial, [accuracy, *left])

    def _params(self, point: Point) -> dict[str, int]:
        return {key: self.space.choices[key].index(point[key]) for key in self._free}

    def _known(self) -> dict[tuple[int, ...], float]:
        """{place of a point: its accuracy}, of all that was trained, here or elsewhere."""
        out = {}
        for trial in self._study.get_trials(deepcopy=False, states=(self._complete,)):
            if _ACCURACY in trial.user_attrs:
                place = tuple(trial.params.get(key, 0) for key in self.space.choices)
                out[place] = trial.user_attrs[_ACCURACY]
        return out

    def _tried(self) -> list[Tried]:
        rows = []
        for place, accuracy in self._known().items():
            values = zip(self.space.choices.items(), place)
            point = {key: choices[at] for (key, choices), at in values}
            rows.append(Tried(point, accuracy, self.costs.verdict(point).ways))
        return rows

    def _fitting(self) -> list[Point] | None:
        if len(self.space) > _COUNTED:
            return None
        return [point for point in self.space if self.costs.verdict(point).fits]

    def _nearest(self) -> Point:
        return min(self.space, key=lambda point: max(self.costs.verdict(point).over.values()))


def _journal(optuna: Any, path: Path) -> Any:
    path.parent.mkdir(parents=True, exist_ok=True)
    backend = optuna.storages.journal.JournalFileBackend(str(path))
    return optuna.storages.JournalStorage(backend)
