"""Evaluation: the answers of a model to labelled samples, scored."""

from ..nn.objectives.scores import SCORES


class Scores:
    """The scores of each output of a model so far. learner: continual.learner.Learner."""

    def __init__(self, learner):
        self._scores = {}
        for name, (kind, at, n) in learner.outputs.items():
            size = learner.classes if kind == "classify" else n
            self._scores[name] = (_class_of(kind)(size), at, n)
        variational = learner.stage.variational
        self._alone = variational.alone if variational else {}
        self.answered = len(self._scores) > len(self._alone)  # an output learns answers

    def add(self, outputs, row, rows, expected):
        """Scores one sample; the class that the model gives it, None where it has none.

        outputs: {name: window of `rows` rows}; row: that of the sample. expected: the right
        answer, as Learner.expected() returns it.
        """
        label, target = expected
        answer = None
        for name, (score, at, n) in self._scores.items():
            if name in self._alone:
                continue
            out = outputs[name]
            n_out = len(out) // rows
            if at is None:
                answer = score.add(out, row, n_out, label)
            else:
                score.add(out, row, n_out, target[at : at + n])
        return answer

    def add_losses(self, learner):
        """Scores the latent that was inferred last."""
        from .scoring import score_latent

        score_latent(learner)
        for name, stats in self._alone.items():
            self._scores[name][0].add(stats[0])

    def result(self):
        """The results of all outputs in one dict; those of an output that regresses under its
        name where there are several outputs."""
        if len(self._scores) == 1:
            return [score.result() for score, _, _ in self._scores.values()][0]
        out = {}
        for name, (score, at, _) in self._scores.items():
            if at is None and name not in self._alone:
                out.update(score.result())
            else:
                out[name] = score.result()
                out.setdefault("n", out[name]["n"])
        return out


def _class_of(kind):
    if kind in SCORES:
        return SCORES[kind]
    from .scoring import Mean  # few learners need it

    return Mean


class Evaluation:
    """Scores samples a micro-batch at a time. learner: continual.learner.Learner.

    answers: None, or a list that gets the class that the model gives each sample, where it has
    classes.
    """

    def __init__(self, learner, answers=None):
        self._answers = answers
        self._learner, self._stage = learner, learner.stage
        self._expected = [None] * learner.stage.micro
        self._scores = Scores(learner)
        self._rows = 0

    def run(self, samples):
        """Evaluates (x, y) pairs: a generator of results so far."""
        learner, stage = self._learner, self._stage
        for x, y in samples:
            expected = learner.inputs.expected(y)
            row = stage.micro - 1 - self._rows
            learner.infer(x, row)
            if stage.variational:
                self._score_single(expected)
            self._expected[row] = expected
            self._rows += 1
            if self._rows == stage.micro:
                self._score()
                yield self._scores.result()
        if self._rows:
            self._score()
        yield self._scores.result()

    def _score(self):
        stage = self._stage
        if stage.variational:  # scored as they came
            self._rows = 0
            return
        stage.take_latents()
        stage.forward()
        last = stage.micro - 1
        for row in range(last, last - self._rows, -1):  # as they came
            label = self._scores.add(stage.outputs, row, stage.micro, self._expected[row])
            if self._answers is not None and label is not None:
                self._answers.append(label)
        self._rows = 0

    def _score_single(self, expected):
        """Scores the sample that was inferred last by a pass of its own: without noise, and its
        values take the memory in which the latents of other samples would wait."""
        self._scores.add_losses(self._learner)
        if self._scores.answered:
            label = self._scores.add(self._stage.single, 0, 1, expected)
            if self._answers is not None and label is not None:
                self._answers.append(label)
