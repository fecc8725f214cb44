"""A report says what the statistics say, on one page that needs no network."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.experiments.made_runs import CASES, change_round, make_full, make_run
from workbench.errors import RunError, SettingError
from workbench.experiments import pairs, summaries
from workbench.experiments.comparison import sentence
from workbench.experiments.results import read_results
from workbench.jobs import finish
from workbench.reports.comparison import make_report
from workbench.reports.comparison.numbers import summarize
from workbench.reports.comparison.parts import Text
from workbench.reports.comparison.scores import reached_table, rounds_table
from workbench.reports.comparison.sentences import overview
from workbench.reports.comparison.tables import Table, number, plus_minus

MANY_CASES = tuple(f"case_{place}" for place in range(8))


def dice_of(gain):
    """Dice that grows by round, differs a little by seed and case, and is `gain` higher."""

    def dice(seed, index, case):
        chance = np.random.default_rng((seed, index, case, int(10_000 * gain))).normal(0, 0.002)
        return float(0.6 + 0.08 * index + gain + 0.01 * case + chance)

    return dice


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Seven seeds of three strategies, three of one more, a full-data run, half a run."""
    root = tmp_path_factory.mktemp("runs")
    settings = {"source": "gone", "cases": MANY_CASES}
    for seed in range(7):
        make_run(root / f"random-{seed}", "random", dice_of(0), seed=seed, **settings)
        make_run(root / f"guided-{seed}", "gradient-guided", dice_of(0.02), seed=seed, **settings)
        make_run(root / f"margin-{seed}", "margin", dice_of(0.0005), seed=seed, **settings)
    for seed in range(3):
        make_run(root / f"oracle-{seed}", "oracle", dice_of(0.05), seed=seed, **settings)
    make_full(root / "full-0", 0.85, **settings)
    make_run(root / "dal-0", "dal", dice_of(0), done=1, **settings)
    return root


@pytest.fixture(scope="module")
def report(folder):
    return finish(make_report([folder]))


@pytest.fixture(scope="module")
def page(report, tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("report") / "report.html"
    report.write(path)
    return path


def tables(report) -> dict[str, Table]:
    sections = (
        report.findings(),
        report.scores(),
        report.tests(),
        report.annotated(),
        report.time(),
        report.settings(),
    )
    parts = [part for section in sections for part in section.parts]
    return {part.name: part for part in parts if isinstance(part, Table)}


def said(section) -> str:
    return "\n".join(part for part in section.parts if isinstance(part, Text)).replace("\\", "")


def test_the_page_fetches_nothing(page):
    content = page.read_text()
    assert content.count('class="figure"') >= 6
    assert not re.findall(r"<(?:script|link|img|iframe)[^>]+(?:src|href)=\"(?!data:)", content)
    assert not re.findall(r"@import|url\((?!data:)", content.split("</style>")[0])


def test_every_table_is_written_as_csv_and_latex(report, page):
    folder = page.parent / "report-tables"
    expected = {f"{name}{end}" for name in tables(report) for end in (".csv", ".tex")}
    assert {path.name for path in folder.iterdir()} == expected
    read = pd.read_csv(folder / "annotated.csv")
    assert read["foreground"].to_numpy() == pytest.approx(
        report.numbers.annotated["foreground"].to_numpy()
    )


def test_slices_without_a_reference_are_told_also_where_they_were_not_saved(report, tmp_path):
    told = "The pool has 240 slices; 40 of them have no reference and were no candidates."
    assert said(report.findings()).count(told) == 1
    old = make_run(tmp_path / "run")
    for index in range(3):
        change_round(old, index, pool=None)
    found = finish(make_report([old], pictures=[])).findings()
    assert "is not known: the version that made the run did not save it" in said(found)


def test_runs_that_stopped_because_it_was_enough_are_told(tmp_path):
    run = make_run(tmp_path / "run")
    change_round(run, 2, stopped="The validation Dice reached 0.900; 0.9 was asked for.")
    found = finish(make_report([run], pictures=[])).findings()
    assert "of 1 stopped after round 2 because it was enough." in said(found)


def test_what_was_annotated_is_told_of_the_pool_and_of_all_cases(report, folder):
    text = tables(report)["annotated"].text
    assert set(text["cases of the pool"]) == {"30 %"}  # 6 of 20
    assert set(text["of all cases"]) == {"23 %"}  # 6 of 26


def test_the_table_of_scores_tells_mean_sd_and_interval_over_runs(report, folder):
    curves = summaries.learning_curves(read_results([folder]))
    row = curves[
        (curves["label"] == "gradient-guided")
        & (curves["round"] == 2)
        & (curves["metric"] == "dice")
        & (curves["region"] == "mean")
    ].iloc[0]
    text = tables(report)["scores-dice"].text.set_index("strategy")
    expected = f"{plus_minus(row['mean'], row['sd'])} [{number(row['low'])}, {number(row['high'])}]"
    assert text.loc["gradient-guided", "mean of the regions"] == expected
    assert text.loc["gradient-guided", "n"] == "7"
    assert text.loc["full data", "anterior"] == "0.850"


def test_areas_wins_and_budgets_are_those_of_the_summaries(report, folder):
    results = read_results([folder])
    found = tables(report)
    areas = summaries.areas(results).query("metric == 'dice' and region == 'mean'")
    written = found["area"].numbers.query("cost == 'slices' and metric == 'dice'")
    written = written[written["region"] == "mean"]
    assert written["mean"].tolist() == areas["mean"].tolist()
    wins = pairs.wins(results)
    matrix = found["wins"].numbers.set_index("strategy")
    assert matrix.loc["oracle", "random"] == wins.loc["oracle", "random"] == 1
    needed = summaries.budgets_needed(results).set_index("label")
    text = found["needed"].text.set_index("strategy")
    assert text.loc["random", "slices annotated"] == "not reached"
    budget, share = needed.loc["oracle", ["budget", "of_all"]]
    assert text.loc["oracle", "slices annotated"] == f"{number(budget, 0)} ({100 * share:.1f} %)"


def test_sentences_say_who_beats_random_and_who_does_not(report):
    comparisons = pairs.compare_with(report.numbers.results, "random")
    text = said(report.findings())
    for each in comparisons:
        assert sentence(each) in text
    assert "gradient-guided beats random by 0.020 Dice (p = " in text
    assert "margin does not beat random" in text
    assert "Whether oracle beats random cannot be said from 3 seeds" in text
    assert "sees references nobody drew: oracle" in text


def test_many_strategies_without_a_test_are_told_in_one_sentence(tmp_path):
    for name in ("random", "margin", "entropy", "bald"):
        make_run(tmp_path / name, name, source="gone")
    text = said(finish(make_report([tmp_path])).findings())
    assert "Whether these beat random cannot be said from so few seeds or test cases" in text
    assert "entropy +0.000 (+0.000 to +0.000)" in text


def test_it_is_said_at_which_seeds_strategies_are_compared_where_one_has_fewer(tmp_path):
    for name in ("random", "margin", "entropy", "bald"):
        for seed in range(1 if name == "margin" else 2):
            dice = dice_of(0.02 if name == "margin" else 0)
            make_run(tmp_path / f"{name}-{seed}", name, dice, source="gone", seed=seed)
    report = finish(make_report([tmp_path]))
    text = said(report.findings())
    difference = report.numbers.against[0]
    assert (difference.first, difference.seeds) == ("margin", 1)
    assert f"margin {difference.difference:+.3f} (" in text
    assert text.count(", at seed 0)") == 1
    assert "The two best, at seed 0: margin and" in text
    assert "Not every strategy has the same seeds" in text
    assert "Of one seed, an interval tells about these networks alone" in text


def test_seeds_that_all_of_many_strategies_share_with_random_are_told_once(tmp_path):
    for name, seeds in {"random": 3, "margin": 2, "entropy": 2, "bald": 2}.items():
        for seed in range(seeds):
            make_run(tmp_path / f"{name}-{seed}", name, source="gone", seed=seed)
    text = said(finish(make_report([tmp_path])).findings())
    assert "difference of the area under the mean Dice, at seeds 0, 1, with its" in text
    assert text.count("at seeds") == 1


def test_nothing_is_said_of_seeds_where_all_strategies_have_the_same(tmp_path):
    for name in ("random", "margin", "entropy", "bald"):
        make_run(tmp_path / name, name, source="gone")
    text = said(finish(make_report([tmp_path])).findings())
    assert "the same seeds" not in text
    assert "at seed" not in text


def test_an_unfinished_run_is_named(report):
    text = said(report.findings())
    assert "Left out: 1 folder" in text
    assert "dal-0: 1 of its 3 rounds are finished" in text


def test_the_table_of_strategies_counts_seeds_and_vaes(report):
    text = tables(report)["strategies"].text.set_index("strategy")
    assert text.loc["gradient-guided"].tolist() == [7, "0 to 6", "1"]
    assert text.loc["random"].tolist() == [7, "0 to 6", "none used"]


def test_two_vaes_behind_a_band_are_counted(tmp_path):
    for seed in range(2):
        make_run(tmp_path / f"g{seed}", "gradient-guided", source="gone", manifold_seed=seed)
    text = tables(finish(make_report([tmp_path])))["strategies"].text
    assert text["VAEs"].tolist() == ["2"]


def test_every_setting_is_told_with_its_value_where_it_was_left_out(report):
    settings = tables(report)["settings"].numbers.set_index("setting")["value"]
    assert settings["budget"] == "10, 20"
    assert settings["manifold.z_dim"] == "3"
    assert settings["segmentation.loss"] == "dai2022"


def test_settings_of_full_data_runs_are_told_where_they_are_others(report):
    table = tables(report)["settings"].numbers.set_index("setting")["full data"]
    assert table["rounds"] == "0"
    assert table["initial"] == "100 %"
    assert table["manifold.z_dim"] == ""
    runs = tables(report)["runs"].numbers.set_index("run")["minutes"]
    assert runs["full-0"] == pytest.approx((2 + 0.5) / 60)


def test_settings_that_differ_are_marked_with_how_many_runs_have_each(tmp_path):
    make_run(tmp_path / "a", source="gone")
    make_run(tmp_path / "b", source="gone", seed=1, manifold={"z_dim": 10})
    make_run(tmp_path / "c", source="gone", seed=2, manifold={"z_dim": 10})
    table = tables(finish(make_report([tmp_path])))["settings"].text.set_index("setting")
    assert table.loc["manifold.z_dim", "value"] == "3 (1 of 3 runs); 10 (2 of 3 runs)"
    assert table.loc["manifold.z_dim", "between runs"] == "differs"


def test_runs_of_other_cohorts_are_refused_in_a_sentence(tmp_path):
    make_run(tmp_path / "a", source="one")
    make_run(tmp_path / "b", source="other")
    with pytest.raises(RunError, match="cannot be compared, because the cohort is not the same"):
        finish(make_report([tmp_path]))


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(RunError, match="no finished run"):
        finish(make_report([tmp_path]))


def test_pictures_of_a_strategy_that_is_not_there_are_refused(folder):
    with pytest.raises(SettingError, match="'core-set', which is not among these runs"):
        finish(make_report([folder], pictures=["core-set"]))


def test_pictures_are_skipped_with_a_sentence_where_the_cohort_is_elsewhere(report):
    assert "No pictures of random, seed 0: gone does not exist" in said(report.maps())


def test_pictures_missing_for_one_reason_are_told_in_one_sentence(folder):
    report = finish(make_report([folder], pictures=["random", "margin"]))
    (told,) = report.maps().parts
    assert "No pictures of random, seed 0; margin, seed 0: gone does not exist" in told


def test_without_random_nothing_is_said_to_beat_it(tmp_path):
    make_run(tmp_path / "a", "margin", source="gone")
    report = finish(make_report([tmp_path]))
    assert "cannot be said whether a strategy beats it" in said(report.findings())
    assert "No full-data run was given" in said(report.curves())
    assert "`workbench sweep` makes one" in said(report.scores())


def test_a_strategy_that_is_not_installed_here_is_reported_all_the_same(tmp_path):
    make_run(tmp_path / "a", "somebodys-own", source="gone")
    make_run(tmp_path / "b", "random", source="gone")
    text = tables(finish(make_report([tmp_path])))["strategies"].text.set_index("strategy")
    assert text.loc["somebodys-own", "VAEs"] == "1 or none"


def test_a_full_data_run_that_is_no_ceiling_is_said_to_be_none(tmp_path):
    make_run(tmp_path / "a", source="gone")
    make_full(tmp_path / "full", 0.2, source="gone")
    text = said(finish(make_report([tmp_path])).findings())
    assert "Training on everything reaches a Dice of 0.210, less than random in round 2" in text
    assert "it is no ceiling here" in text


def test_penalties_are_told_where_there_are_some(tmp_path, report):
    assert "penalties" not in tables(report)
    make_run(tmp_path / "a", source="gone", dice=lambda seed, index, case: -0.01 if case else 0.5)
    text = tables(finish(make_report([tmp_path])))["penalties"].text
    assert text["anterior"].tolist() == [f"{len(CASES) - 1} of {len(CASES)}"]


def test_a_loss_head_shows_its_curve(tmp_path):
    run = make_run(tmp_path / "a", source="gone")
    for path in run.glob("rounds/*/round.json"):
        content = json.loads(path.read_text())
        path.write_text(json.dumps({**content, "head_losses": [0.5, 0.25]}))
    figures = finish(make_report([tmp_path])).training().parts
    titles = [f.layout.yaxis.title.text for f in figures if not isinstance(f, Text)]
    assert titles == ["training loss", "ranking loss"]


def test_a_name_cannot_become_markup(tmp_path):
    make_run(tmp_path / "a", "<b>bold</b>", source="gone")
    make_run(tmp_path / "b", "random", source="gone")
    finish(make_report([tmp_path])).write(tmp_path / "out.html")
    body = re.sub(r"<script.*?</script>", "", (tmp_path / "out.html").read_text(), flags=re.S)
    assert "&lt;b&gt;bold" in body
    assert "<b>bold" not in body


def test_a_report_can_be_written_where_an_older_one_lies(tmp_path):
    make_run(tmp_path / "runs", source="gone")
    report = finish(make_report([tmp_path / "runs"], pictures=[]))
    target = tmp_path / "new" / "report.html"
    target.parent.mkdir()
    target.write_text("old")
    assert report.write(target) == tmp_path / "new" / "report-tables"
    assert "No pictures were asked for" in target.read_text()


def test_a_report_on_whole_volumes_counts_volumes(tmp_path):
    for seed in range(2):
        make_run(tmp_path / f"random-{seed}", seed=seed, unit="volumes")
    numbers = summarize(read_results([tmp_path]))
    told = overview(numbers)
    assert "from 4 to 6 annotated volumes" in told
    assert "The pool has 240 volumes; 40 of them have no reference" in told
    assert "6 volumes annotated" in reached_table(numbers, "dice").caption
    assert "round 0 (4 volumes)" in rounds_table(numbers).text.columns
    assert "slice" not in told
