"""The Compare page and the leaderboard on the Runs page, on a store that MLflow's own client wrote."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from tests.pages.conftest import APP, words


@pytest.fixture
def visit(cross_validation, home, monkeypatch) -> Callable[..., AppTest]:
    """Open a page on the store, as a new visitor; ``uri=None`` without a store."""

    def go(name: str | None, uri: str | None = cross_validation.uri, **query: str) -> AppTest:
        mlflow = {"tracking_uri": uri, "experiment_name": "cross-validation"} if uri else {}
        path = home / "settings.yaml"
        path.write_text(yaml.safe_dump({"mlflow": mlflow}))
        monkeypatch.setenv("MLOPS_COPILOT_CONFIG", str(path))
        page = AppTest.from_file(str(APP), default_timeout=60)
        for key, value in query.items():
            page.query_params[key] = value
        page.run()
        if name:
            page.switch_page(f"pages/{name}.py").run()
        assert not page.exception
        return page

    return go


@pytest.fixture
def ids(cross_validation) -> Callable[..., str]:
    return lambda *names: ",".join(cross_validation.runs[name] for name in names)


def _tables(page: AppTest) -> list:
    return [element.value for element in page.dataframe]


def test_the_answer_comes_first_then_curves_values_differences_and_findings(visit, ids):
    page = visit("compare", runs=ids("better", "worse", "fold 1"))
    said = words(page).replace("\u00a0", " ")
    assert "**better reaches the best validation accuracy: 92.0 %** at epoch 19." in said
    assert "What differs" in said
    assert "OVF205 Regression against the baseline" in said
    assert len(page.get("plotly_chart")) == 1
    reached, settings, *_ = _tables(page)
    assert list(reached["Run"]) == ["better (baseline)", "worse [31m|<b>", "resnet-fold-1"]
    assert list(reached["Best"].round(1)) == [92.0, 85.0, 90.0]
    assert list(reached["At"]) == [19, 19, 19]
    assert list(reached["Gap at best"].round(1)) == [2.0, 2.0, 2.0]
    assert list(reached["Mark"]) == ["●", "■", "▲"]
    assert settings["name"][0] == "n_val"
    assert list(settings.iloc[0])[1:] == ["2000", "2000", "200"]


def test_curves_wear_the_runs_marks_and_validation_is_solid(visit, ids):
    import json

    page = visit("compare", runs=ids("better", "worse"))
    traces = json.loads(page.get("plotly_chart")[0].proto.spec)["data"]
    assert [t["line"].get("dash") for t in traces] == ["dot", None, None, "dot", None, None]
    assert traces[1]["line"]["color"] == traces[2]["line"]["color"] != traces[4]["line"]["color"]
    assert [t["marker"]["symbol"] for t in (traces[2], traces[5])] == ["circle", "square"]
    page.toggle(key="compare-training").set_value(False).run()
    assert len(json.loads(page.get("plotly_chart")[0].proto.spec)["data"]) == 4


def test_the_axis_and_the_baseline_live_in_the_address(visit, ids, cross_validation):
    page = visit("compare", runs=ids("better", "worse"), axis="time", baseline=cross_validation.runs["worse"])
    assert list(_tables(page)[0]["At"]) == ["0.019 s", "0.019 s"]
    assert list(_tables(page)[0]["Run"])[1].endswith("(baseline)")
    page.segmented_control(key="compare-axis").set_value("step").run()
    assert page.query_params["axis"] in ("step", ["step"])
    assert list(_tables(page)[0]["At"]) == [19, 19]
    page.selectbox(key="baseline-picker").set_value(cross_validation.runs["better"]).run()
    assert not page.exception
    assert _tables(page)[0]["Run"][0] == "better (baseline)"


def test_five_runs_show_a_setting_against_what_came_of_it(visit, ids):
    folds = [f"fold {i}" for i in range(1, 6)]
    page = visit("compare", runs=ids(*folds))
    assert len(page.get("plotly_chart")) == 1, "folds differ in nothing but their fold"
    page = visit("compare", runs=ids(*folds[:4], "better"))
    assert "What came of it" in words(page)
    assert len(page.get("plotly_chart")) == 3


def test_without_runs_they_are_chosen_on_the_page(visit, cross_validation):
    page = visit("compare")
    assert page.button(key="compare-go").disabled
    picked = [cross_validation.runs[name] for name in ("better", "worse")]
    page.multiselect(key="compare-runs").set_value(picked).run()
    page.button(key="compare-go").click().run()
    assert not page.exception
    assert "reaches the best validation accuracy" in words(page)
    assert page.query_params["runs"] in (",".join(picked), [",".join(picked)])


def test_one_run_is_too_few_and_the_page_says_so(visit, ids):
    page = visit("compare", runs=ids("better"))
    assert page.multiselect(key="compare-runs").value == [ids("better")]
    page = visit("compare", runs=f"{ids('better')},{'d' * 32}")
    assert "One run could not be read" in words(page)
    assert "a comparison takes two" in words(page)
    assert page.multiselect(key="compare-runs").value == [ids("better")], "the one that is gone is not picked"
    assert not page.get("plotly_chart")


def test_runs_that_are_not_there_and_no_store_are_told(visit):
    page = visit("compare", runs=f"{'d' * 32},{'e' * 32}")
    assert "None of the runs can be analysed" in words(page)
    page = visit("compare", uri=None)
    assert "No MLflow store is set" in words(page)


def test_a_server_that_does_not_answer_is_told_with_a_way_on(visit, free_port, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    page = visit("compare", uri=f"http://127.0.0.1:{free_port()}", runs="a,b")
    assert [button.label for button in page.button if button.label == "Try again"]
    assert "could not be shown" not in words(page)


def test_hostile_addresses_show_no_trace(visit, ids):
    page = visit("compare", runs=f"{ids('better', 'worse')},,<b>x</b>, ", axis="moon", baseline="../x")
    assert "One run could not be read" in words(page)
    assert "<b>x" not in words(page)
    assert len(_tables(page)[0]) == 2
    many = ",".join([ids("better", "worse"), *(f"{i:032d}" for i in range(60))])
    page = visit("compare", runs=many)
    assert "The first 24 of 62 runs are shown" in words(page)


def test_a_run_without_validation_stands_beside_the_others(visit, ids):
    page = visit("compare", runs=ids("better", "childless", "worse"))
    assert "One run could not be read" in words(page)
    assert len(_tables(page)[0]) == 2


def test_the_navigation_leads_here_and_keeps_the_runs(visit, ids):
    page = visit(None, runs=ids("better", "worse"))
    links = [element.proto for element in page.get("page_link")]
    assert "Compare" in [link.label for link in links]
    assert all("runs=" in link.query_string for link in links)


def test_the_runs_page_in_leaderboard_order(visit):
    page = visit("runs")
    assert "Rank" not in _tables(page)[0]
    page.segmented_control(key="run-order").set_value("best").run()
    assert not page.exception
    table = _tables(page)[0]
    assert list(table["Rank"]) == list(range(1, 8))
    assert table["Run"][0] == "better"
    assert list(table["Best"].round(1))[::6] == [92.0, 70.0]
    page.segmented_control(key="run-order").set_value("gap").run()
    gaps = list(_tables(page)[0]["Gap"])
    assert gaps == sorted(gaps)
