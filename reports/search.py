"""The result of a search: its trials, and which of them no other beats in all objectives."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from scipy.stats import spearmanr

from reports.catalogue import label_of, row_of
from reports.metrics import Metric
from reports.tables.anchors import Anchor, anchors

_FEWEST_RANKED = 3  # any two designs are in one order or the other


@dataclass(frozen=True)
class SearchedDesign:
    """One trial.

    Attributes:
        number: of the trial.
        name: of its model.
        ending: `complete`, `stopped` or `failed`.
        reason: why it did not come to its end, or which constraints it breaks.
        settings: the values that varied, in words, by key.
        figures: the records of objectives and constraints by metric name, where measured.
        keeps: whether it keeps all constraints.
        seconds: it took.
        links: addresses, relative to the page, by what they lead to.
    """

    number: int
    name: str
    ending: str
    reason: str
    settings: Mapping[str, str]
    figures: Mapping[str, Metric]
    keeps: bool
    seconds: float
    links: Mapping[str, str]

    def value(self, name: str) -> float | None:
        """The value of a metric; None where it was not measured."""
        metric = self.figures.get(name)
        return float(metric.value) if metric and isinstance(metric.value, int | float) else None

    def in_words(self) -> str:
        """Its settings on one line."""
        return ", ".join(f"{key} {value}" for key, value in self.settings.items())


@dataclass(frozen=True)
class RankCorrelation:
    """How far a count of the network ranks the designs as a figure of their hardware does.

    Attributes:
        count, figure: metric names.
        designs: that have both; each counts once, however many trials share it.
        spearman: Spearman's coefficient, from -1 to 1; None where fewer than three designs have
            both or one of the two is the same for all.
    """

    count: str
    figure: str
    designs: int
    spearman: float | None


def rank_correlation(
    count: str, figure: str, designs: Iterable[Mapping[str, Metric]]
) -> RankCorrelation:
    """Spearman's coefficient of two metrics over designs, each given by its metrics by name."""
    pairs = [
        (float(one.value), float(other.value))
        for metrics in designs
        if (one := metrics.get(count)) and (other := metrics.get(figure))
        if isinstance(one.value, int | float) and isinstance(other.value, int | float)
    ]
    differ = all(len(set(values)) > 1 for values in zip(*pairs, strict=True))
    known = len(pairs) >= _FEWEST_RANKED and differ
    spearman = float(spearmanr(pairs).statistic) if known else None
    return RankCorrelation(count, figure, len(pairs), spearman)


@dataclass(frozen=True)
class SearchReport:
    """All of a search.

    Attributes:
        name: of the space.
        keys: that varied.
        objectives: metric names, the quality first where the search is of quality and cost.
        constraints: bounds in words by metric name.
        facts: what holds for all trials, in words.
        planned: number of trials that the search is to make.
        trials: in their order.
        ranked: how far counts of the network rank the designs as their hardware does.
    """

    name: str
    description: str
    keys: tuple[str, ...]
    objectives: tuple[str, ...]
    constraints: Mapping[str, str]
    facts: tuple[str, ...]
    planned: int
    trials: tuple[SearchedDesign, ...]
    ranked: tuple[RankCorrelation, ...] = ()

    @property
    def metrics(self) -> tuple[str, ...]:
        """Objectives and constraints, each once."""
        return tuple(dict.fromkeys((*self.objectives, *self.constraints)))

    @property
    def front(self) -> tuple[SearchedDesign, ...]:
        """The designs that keep all constraints and that none of these beats: sorted by the last
        objective, its best first.  Of several with equal figures the first trial is shown."""
        able = [t for t in self.trials if t.ending == "complete" and t.keeps]
        points = {trial.number: self.point(trial) for trial in able}
        kept = [
            trial
            for trial in able
            if points[trial.number] is not None
            and not any(self._beats(other, trial, points) for other in able)
        ]
        last = -1
        return tuple(sorted(kept, key=lambda trial: (points[trial.number] or ())[last]))

    def point(self, trial: SearchedDesign) -> tuple[float, ...] | None:
        """Its objectives, each such that less is better; None where one was not measured."""
        values = [trial.value(name) for name in self.objectives]
        if None in values:
            return None
        return tuple(
            -value if row_of(name).better == "higher" else value
            for name, value in zip(self.objectives, values, strict=True)
            if value is not None
        )

    @staticmethod
    def _beats(
        other: SearchedDesign,
        trial: SearchedDesign,
        points: Mapping[int, tuple[float, ...] | None],
    ) -> bool:
        """No worse in any objective, and better in one, or the same and earlier."""
        one, two = points[other.number], points[trial.number]
        if one is None or two is None or other.number == trial.number:
            return False
        no_worse = all(a <= b for a, b in zip(one, two, strict=True))
        return no_worse and (one != two or other.number < trial.number)

    def heading(self, name: str) -> str:
        """Words for a metric with its unit, as a table's heading."""
        unit = row_of(name).unit
        return f"{label_of(name)} [{unit}]" if unit else label_of(name)

    def level(self, name: str) -> str:
        """The evidence level of a metric's figures."""
        levels = {t.figures[name].evidence.value for t in self.trials if name in t.figures}
        return ", ".join(sorted(levels))

    @property
    def published(self) -> tuple[Anchor, ...]:
        """Published designs that have a figure for each objective."""
        return tuple(
            anchor
            for anchor in anchors()
            if all(isinstance(anchor.figures.get(n), int | float) for n in self.objectives)
        )

    def endings(self) -> Mapping[str, int]:
        """How many trials ended in each way."""
        counts: dict[str, int] = {}
        for trial in self.trials:
            counts[trial.ending] = counts.get(trial.ending, 0) + 1
        return counts


def bounds_in_words(maximum: float | None, minimum: float | None, unit: str) -> str:
    """A constraint's bounds."""
    parts: Sequence[str] = [
        f"at {word} {bound:g} {unit}".rstrip()
        for word, bound in (("least", minimum), ("most", maximum))
        if bound is not None
    ]
    return " and ".join(parts)
