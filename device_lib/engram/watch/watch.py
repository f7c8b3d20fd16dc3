"""A watch: scores of samples as they come, their mean over a window, alarms."""

from array import array

from ..backend import kernels
from ..errors import DataError
from .engines import engine_class
from .records import floats, stored
from .threshold import Threshold, check_enough, rate_of, window_means

# Of engines and thresholds; the smallest module of native kernels has none of them.
KERNELS = ("add_f32", "exp_f32", "log_f32", "sqrt_f32")
FOLDS = 3  # parts of the stored samples, each scored by an engine that is fitted to the others

class Reading:
    """The answer of a watch to a sample.

    .score     of the sample; .mean: of the last `window` scores
    .alarm     whether there is one
    .state     "filling" until `window` samples were there, "normal", "alarm", or "unknown" at a
               sample whose score is no finite number: it counts in no mean and leaves the alarm
    .changed   whether the state is another than at the sample before
    """

    def __init__(self, score, mean, alarm, changed, state):
        self.score, self.mean, self.alarm = score, mean, alarm
        self.changed, self.state = changed, state

    def __repr__(self):
        return "<Reading: score %.4g, mean %.4g, %s>" % (self.score, self.mean, self.state)


class Watch:
    """Tells whether samples are like those that the learner has stored.

    learner     an open learner. Its model and its store are read, never changed
    engine      of scores: a name of engines.NAMES
    window      samples whose mean score is compared with the threshold
    false_alarms, every   as threshold.rate_of() takes them
    labels      of the stored samples that are normal; None: all
    session     number of the session whose samples are normal; None: of all
    samples     inputs that are normal, to set the threshold by; None: the stored samples, of which
                a part at a time is left out of the fit where the engine has one
    options     of the engine, by its OPTIONS

    .learner, .engine_name, .window, .options   what they are above
    .threshold  threshold.Threshold; .held_out: whether its scores are of samples that the engine
                did not know
    .alarm, .alarms, .samples, .unknown   whether there is one; how many have begun; samples that
                were fed; those whose score was no finite number

    preparing() comes before feed(). Raises DataError.
    """

    ready = False  # an adapting.Adaptation may be: a watch by itself learns nothing

    def __init__(self, learner, engine="clusters", window=8, false_alarms=0.001, every=None,
                 labels=None, samples=None, session=None, **options):
        for name in KERNELS:
            if not hasattr(kernels, name):
                raise DataError(
                    "expected kernels with %s to watch, got some without it; "
                    "`engram install --kernels all`" % name
                )
        found = engine_class(engine)
        unknown = [name for name in options if name not in found.OPTIONS]
        if unknown:
            raise DataError(
                "expected options of engine %s (%s), got %s"
                % (engine, ", ".join(found.OPTIONS) or "none", ", ".join(sorted(unknown)))
            )
        if not isinstance(window, int) or window < 1:
            raise DataError("expected a window of 1 sample or more, got %r" % (window,))
        if learner.store is None:
            raise DataError(
                "expected a learner with a store to watch from its samples, got one without"
            )
        self.rate = rate_of(false_alarms, every)
        self._labels, self._session, self._normal = labels, session, samples
        self.learner, self.engine_name, self.window = learner, engine, window
        self.options = options
        self.engine = found(learner, **options)
        self._ring, self._mean = floats(window), floats(1)
        self._filled = self._at = self.samples = self.alarms = self.unknown = 0
        self.alarm, self.threshold, self._state = False, None, "filling"

    def preparing(self):
        """Fits the engine and sets the threshold: a generator that yields now and then."""
        slots = stored(self.learner.store, self._labels, self._session)
        self.held_out = self._normal is not None or self.engine.HELD_OUT
        scores = array("f", ())
        if self._normal is None:
            check_enough(len(slots) - self.window + 1)
            for _ in self._score_stored(slots, scores):
                yield
            for _ in self.engine.fitting(slots):
                yield
        else:
            for _ in self.engine.fitting(slots):
                yield
            for x in self._normal:
                scores.append(self._score(x))
                yield
            self._normal = None
        self.threshold = Threshold(window_means(scores, self.window), self.rate)

    def _score_stored(self, slots, scores):
        """Appends the scores of the records in `slots`, in this order: a generator."""
        if not self.engine.HELD_OUT:
            for slot in slots:
                _append(scores, self.engine.score_stored(slot))
                yield
            return
        # Neighbours in time are alike: a fold has whole windows.
        by_fold = [array("f", ()) for _ in range(FOLDS)]
        for fold in range(FOLDS):
            for _ in self.engine.fitting(self._part(slots, fold, False)):
                yield
            for slot in self._part(slots, fold, True):
                score = self.engine.score_stored(slot)
                by_fold[fold].append(_NO_SCORE if score is None else score)
                yield
        taken = [0] * FOLDS
        for i in range(len(slots)):
            fold = self._fold(i)
            score = by_fold[fold][taken[fold]]
            taken[fold] += 1
            if score != _NO_SCORE:
                scores.append(score)

    def _fold(self, i):
        return i // self.window % FOLDS

    def _part(self, slots, fold, inside):
        return array("i", [slot for i, slot in enumerate(slots)
                           if (self._fold(i) == fold) == inside])

    def _score(self, x):
        self.learner.infer(x)
        return self.engine.score(self.learner)

    def feed(self, x):
        """Takes the next sample, an input as predict() takes it; returns a Reading. Raises
        DataError where x is none, as predict() does; that sample does not count."""
        self.learner.infer(x)
        return self.feed_latent()

    def feed_latent(self):
        """Takes the sample that the learner inferred last; returns a Reading."""
        score = self.engine.score(self.learner)
        self.samples += 1
        if not -_MOST < score < _MOST:  # NaN is neither
            self.unknown += 1
            return self._reading(score, "unknown")
        self._ring[self._at] = score
        self._at = (self._at + 1) % self.window
        self._filled = filled = min(self.window, self._filled + 1)
        kernels.global_avgpool_fwd(self._mean, self._ring, 1, self.window, 1)
        if filled < self.window:
            self._mean[0] *= self.window / filled
            return self._reading(score, "filling")
        mean = self._mean[0]
        if self.alarm:
            self.alarm = mean >= self.threshold.lower
        elif mean > self.threshold.value:
            self.alarm = True
            self.alarms += 1
        return self._reading(score, "alarm" if self.alarm else "normal")

    def _reading(self, score, state):
        changed, self._state = state != self._state, state
        return Reading(score, self._mean[0], self.alarm, changed, state)

    def info(self):
        """The settings and the threshold, as a dict of plain values."""
        threshold = self.threshold
        return {
            "engine": self.engine_name, "window": self.window, "rate": self.rate,
            "threshold": threshold.value, "lower": threshold.lower, "how": threshold.how,
            "extrapolated": threshold.extrapolated, "means": threshold.means,
            "held_out": self.held_out,
        }

    def __repr__(self):
        facts = self.info()
        return (
            "<Watch: %s, alarm where the mean of %d scores is above %.4g, from %s of %d means%s>"
            % (
                facts["engine"], facts["window"], facts["threshold"],
                "a quantile" if facts["how"] == "quantile" else "the tail", facts["means"],
                "; extrapolated" if facts["extrapolated"] else "",
            )
        )


_MOST = 1e30  # a score beyond it is of a model that was ruined
_NO_SCORE = -3e38  # of a damaged record


def _append(scores, score):
    if score is not None:
        scores.append(score)


def watch(learner, **options):
    """Learner.watch()"""
    made = Watch(learner, **options)
    for _ in made.preparing():
        pass
    return made
