"""Histograms, bars and coverage: nothing gets lost on the way from counts to a drawing."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from report_kit import cell

from kdl.report.charts import BINS, LARGEST, commonest, histogram
from kdl.report.coverage import by_class, by_split
from kdl.values import Verdict

SPREADS = st.dictionaries(st.integers(0, 3_000).map(lambda at: at * 0.25), st.integers(1, 10**6), max_size=60)


@given(SPREADS)
def test_a_histogram_holds_every_clip(spread: dict[float, int]) -> None:
    drawn = histogram(spread, 0.25, "s")
    if not spread:
        assert drawn is None
        return
    assert drawn is not None
    assert sum(bar.count for bar in drawn.bars) == drawn.clips == sum(spread.values())
    assert len(drawn.bars) <= BINS + 4
    assert max(bar.share for bar in drawn.bars) == 1.0
    assert drawn.p5 <= drawn.median <= drawn.p95
    assert drawn.below == drawn.bars[0].label.startswith("under")
    assert drawn.above == drawn.bars[-1].label.endswith("and more")


def test_a_lone_outlier_does_not_flatten_the_rest() -> None:
    drawn = histogram({10.0: 5_000, 9.75: 4_000, 1.0: 3, 7_200.0: 1}, 0.25, "s")
    assert drawn is not None
    assert [(bar.label, bar.count) for bar in drawn.bars] == [
        ("under 9.75 s", 3),
        ("9.75 to 10 s", 4_000),
        ("10 to 10.25 s", 5_000),
        ("10.25 s and more", 1),
    ]
    assert (drawn.median, drawn.p5, drawn.p95) == (10.0, 9.75, 10.0)


def test_a_scale_turns_bytes_into_megabytes() -> None:
    drawn = histogram({1_500_000.0: 3, 1_510_000.0: 1}, 10_000, "MB", 1e-6)
    assert drawn is not None
    assert [bar.label for bar in drawn.bars] == ["1.5 to 1.51 MB", "1.51 to 1.52 MB"]


def test_what_is_rare_is_one_bar() -> None:
    drawn = commonest((f"{n} fps", n) for n in range(1, 21))
    assert [bar.label for bar in drawn][:2] == ["20 fps", "19 fps"]
    assert (drawn[-1].label, drawn[-1].count) == ("8 others", sum(range(1, 9)))
    assert len(drawn) == LARGEST + 1


def test_splits_and_classes_add_up() -> None:
    cells = [
        cell("ok", 90, replaced=4),
        cell("short", 5),
        cell("never_hosted", 5),
        cell("unlisted", 2),
        cell("ok", 3, "val", "driving car"),
        cell("missing", 1, "val", "driving car"),
        cell("ok", 7, "test", class_dir="", label=None),
    ]
    train, val, test = by_split(cells)
    assert (train.annotated, train.sound, train.share, train.replaced) == (100, 95, 0.95, 4)
    assert (train.lacking, val.lacking, test.lacking) == (0, 1, 0)
    assert train.counts[Verdict.UNLISTED] == 2
    ends = [(round(start, 3), round(start + width, 3)) for _, start, width in train.bar]
    assert ends == [(0, 90), (90, 95), (95, 100)]
    assert [(row.label, row.split) for row in by_class(cells)] == [
        ("driving car", "val"),
        ("abseiling", "train"),
    ]


def test_nothing_annotated_is_no_division_by_zero() -> None:
    (row,) = by_split([cell("unlisted", 3)])
    assert (row.share, row.bar) == (0.0, [])


def test_a_class_without_words_goes_by_its_folder() -> None:
    unlisted = cell("unlisted", 1, class_dir="driving_car", label=None)
    assert [row.label for row in by_class([unlisted])] == ["driving_car"]
    assert [row.label for row in by_class([unlisted, cell("ok", 1, label="driving car")])] == ["driving car"]
