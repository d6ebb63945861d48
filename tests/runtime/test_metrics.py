from enum import StrEnum

import pytest

from sympozium.runtime.metrics import Counter, Gauge, Histogram, exposition, text_of


class End(StrEnum):
    GOOD = "good"
    BAD = "bad"


class Why(StrEnum):
    QUOTA = "Quota"


def test_a_counter_of_one_label_is_there_with_every_value_before_the_first_event() -> None:
    counter = Counter("ends_total", "Ends.", end=End)
    counter.add(End.BAD, by=2)
    assert counter.as_text().splitlines() == [
        "# HELP ends_total Ends.",
        "# TYPE ends_total counter",
        'ends_total{end="good"} 0',
        'ends_total{end="bad"} 2',
    ]
    assert (counter.value(End.BAD), counter.value(End.GOOD)) == (2, 0)


def test_a_counter_of_several_labels_shows_what_was_counted() -> None:
    counter = Counter("ends_total", "Ends.", end=End, why=Why)
    counter.add(End.BAD, Why.QUOTA)
    counter.add(End.GOOD, None)
    assert 'ends_total{end="bad",why="Quota"} 1' in counter.as_text()
    assert 'ends_total{end="good",why=""} 1' in counter.as_text()


def test_a_label_that_is_forgotten_is_a_bug() -> None:
    with pytest.raises(TypeError, match="end"):
        Counter("ends_total", "Ends.", end=End).add()


def test_a_gauge_is_asked_when_somebody_looks() -> None:
    gauge = Gauge("depth", "Depth.")
    assert "depth 0" in gauge.as_text()
    gauge.follow(lambda: 2.5)
    assert "depth 2.5" in gauge.as_text()


def test_a_histogram_counts_what_took_no_longer_than_each_bound() -> None:
    histogram = Histogram("took_seconds", "Times.", end=End)
    for seconds in (0.001, 0.2, 1000):
        histogram.observe(seconds, End.GOOD)
    lines = histogram.as_text().splitlines()
    assert 'took_seconds_bucket{end="good",le="0.005"} 1' in lines
    assert 'took_seconds_bucket{end="good",le="0.25"} 2' in lines
    assert 'took_seconds_bucket{end="good",le="300"} 2' in lines
    assert 'took_seconds_bucket{end="good",le="+Inf"} 3' in lines
    assert 'took_seconds_count{end="good"} 3' in lines
    assert 'took_seconds_sum{end="good"} 1000.201000' in lines


def test_what_fails_is_timed_too() -> None:
    histogram = Histogram("took_seconds", "Times.")
    with pytest.raises(ValueError, match="no"), histogram.timed():
        raise ValueError("no")
    assert histogram.count() == 1


def test_a_label_cannot_break_out_of_its_quotes() -> None:
    text = text_of("m", "gauge", "M.", [({"name": 'a"b\\c\nd'}, 1)])
    assert text.splitlines()[-1] == r'm{name="a\"b\\c\nd"} 1'


def test_all_metrics_are_one_text() -> None:
    text = exposition(Counter("a_total", "A."), Gauge("b", "B."))()
    assert [line for line in text.splitlines() if not line.startswith("#")] == ["a_total 0", "b 0"]
