# The public names of the device library with their types, for editors and type checkers on a PC.

from collections.abc import Callable, Iterable, Iterator, Mapping
from os import PathLike
from typing import IO, Any, Literal, Protocol, TypeAlias, TypedDict

from typing_extensions import Buffer, Unpack

from .errors import CommandError as CommandError
from .errors import DataError as DataError
from .errors import DivergedError as DivergedError
from .errors import EngramError as EngramError
from .errors import FitError as FitError
from .errors import ModelError as ModelError
from .errors import StoreError as StoreError
from .errors import WireError as WireError

__version__: str
__all__: tuple[str, ...]

class _Integer(Protocol):
    def __index__(self) -> int: ...

class _Array(Protocol):
    def __array__(self) -> Any: ...

# Elements of the model's input dtype. On a PC an array of any shape, as numpy and torch have it.
Input: TypeAlias = Buffer | _Array
# A label; the values of a target, one of them also as a number; or both.
Values: TypeAlias = float | Iterable[float]
Answer: TypeAlias = _Integer | Values | tuple[_Integer, Values]
Sample: TypeAlias = tuple[Input, Answer]
# (label, its probability), the values of a regression, or these by the names of several outputs.
Prediction: TypeAlias = Any

class _Options(TypedDict, total=False):
    batch: int
    micro: int | None
    lr: float
    momentum: float
    weight_decay: float
    lr_decay: float
    optimiser: str
    clip: float | None
    keep: float | tuple[float, float] | None
    skip: float | None
    format: Literal["f32", "q8", "mixed"] | None
    rounding: Literal["res8", "sr", "velocity", "nearest", "floor"] | None
    recompute: Iterable[str] | str | None
    seed: int
    strategy: str
    strategy_options: Mapping[str, float] | None
    goal: Literal["classes", "domain", "user"] | None
    composition: str | None
    new_share: float | None
    scope: str | None
    depth: int | None
    classes: int | None
    known: int | None
    policy: str
    budget: int | None
    budget_bytes: int | None

class _OpenOptions(_Options, total=False):
    # of a PC
    folder: str | PathLike[str] | None
    store_bytes: int | None
    sync: bool

class ModelSpec:
    name: str
    class_names: str
    front_end: str
    classes: int
    known: int
    version: int
    input_elems: int
    latent_elems: int
    targets: int
    latent_id: int
    model_id: int
    def __init__(self, stream: IO[bytes]) -> None: ...
    @property
    def parameter_bytes(self) -> int: ...
    def widen(self, classes: int) -> None: ...
    def limit(self, known: int) -> None: ...

class Samples:
    def __init__(
        self, x_stream: IO[bytes], y_stream: IO[bytes], targets_stream: IO[bytes] | None = None
    ) -> None: ...
    def __len__(self) -> int: ...
    def __iter__(self) -> Iterator[tuple[Any, Any]]: ...

class _WatchOptions(TypedDict, total=False):
    engine: Literal["clusters", "neighbours", "classes", "loss"]
    window: int
    false_alarms: float | str
    every: float | None
    labels: Iterable[int] | None
    samples: Iterable[Input] | None
    clusters: int
    neighbours: int
    seed: int

class _Reading:
    score: float
    mean: float
    alarm: bool
    changed: bool
    state: str

class _Watch:
    window: int
    rate: float
    alarm: bool
    alarms: int
    samples: int
    unknown: int
    def feed(self, x: Input) -> _Reading: ...
    def info(self) -> dict[str, Any]: ...

class Learner:
    name: str
    classes: int
    class_names: str
    front_end: str
    batch: int
    budget: int
    session: int
    stored: int
    skipped: int
    steps_done: int
    rehearsed: int
    planned_bytes: int
    input_elems: int
    input_dtype: str
    policy_name: str
    strategy_name: str
    optimiser_name: str
    is_open: bool
    def __init__(
        self,
        spec: ModelSpec,
        store: Any = None,
        checkpoints: Any = None,
        *,
        counter: Callable[[], int] = ...,
        available: int | None = None,
        heap_base: int | None = None,
        prepared: Any = None,
        **options: Unpack[_Options],
    ) -> None: ...
    def observe(self, x: Input, y: Answer | None = None) -> None: ...
    def observe_latent(self, y: Answer | None = None) -> None: ...
    def observe_all(self, samples: Iterable[Sample]) -> int: ...
    def predict(self, x: Input) -> Prediction: ...
    def score(self, x: Input) -> float: ...
    def watch(self, **options: Unpack[_WatchOptions]) -> _Watch: ...
    def match(self, samples: Iterable[Input]) -> dict[str, float]: ...
    def latent(self, x: Input) -> bytearray: ...
    def evaluate(
        self, samples: Iterable[Sample], session: int | None = None
    ) -> dict[str, Any]: ...
    def evaluating(
        self,
        samples: Iterable[Sample],
        session: int | None = None,
        said: list[int] | None = None,
    ) -> Iterator[dict[str, Any]]: ...
    def class_name(self, label: int) -> str: ...
    def metrics(self) -> dict[str, Any]: ...
    def steps(
        self, epochs: int | None = None, replay: bool = True, steps: int | None = None
    ) -> Iterator[dict[str, Any]]: ...
    def learn(
        self,
        epochs: int | None = None,
        replay: bool = True,
        on_step: Callable[[dict[str, Any]], object] | None = None,
        steps: int | None = None,
    ) -> dict[str, Any]: ...
    def end_session(self) -> None: ...
    def save(self) -> int: ...
    def close(self) -> None: ...
    def load(self) -> int | None: ...
    def rollback(self, to: Literal["last", "previous", "factory"] = "last") -> int | None: ...
    def info(self) -> dict[str, Any]: ...
    @property
    def seen(self) -> int: ...

def load(
    path: str | PathLike[str],
    board: Any = None,
    heap_base: int | None = None,
    bits: int | None = None,
    beat: Callable[[], object] | None = None,
    fresh: bool = False,
    in_place: bool = False,
    features: Callable[[Any], Any] | None = None,
    **options: Unpack[_OpenOptions],
) -> Learner: ...

open = load

def progress(record: Mapping[str, Any]) -> None: ...
def samples(name: str) -> Samples: ...
