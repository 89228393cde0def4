"""The Models page, on registered models that MLflow's own client wrote."""

from __future__ import annotations

import json

import pytest
import yaml
from streamlit.testing.v1 import AppTest

from tests.integrations.mlflow_stores import write_registry
from tests.pages.conftest import APP, words


@pytest.fixture(scope="module")
def registry(tmp_path_factory) -> str:
    uri = f"sqlite:///{tmp_path_factory.mktemp('models') / 'mlflow.db'}"
    write_registry(uri)
    return uri


@pytest.fixture
def visit(registry, cross_validation, home, monkeypatch):
    """Open the page as a new visitor; `uri` None without a store."""

    def go(model: str = "digit-net", uri: str | None = registry) -> AppTest:
        path = home / "settings.yaml"
        path.write_text(yaml.safe_dump({"mlflow": {"tracking_uri": uri} if uri else {}}))
        monkeypatch.setenv("MLOPS_COPILOT_CONFIG", str(path))
        page = AppTest.from_file(str(APP), default_timeout=60)
        page.query_params["model"] = model
        page.run()
        page.switch_page("pages/models.py").run()
        assert not page.exception
        return page

    return go


def test_the_answer_then_what_got_worse_then_the_line_and_the_versions(visit):
    page = visit()
    said = words(page).replace("\u00a0", " ")
    assert "digit-net has 5 versions. Version 1 is the best at 92.0 % validation accuracy, epoch 19." in said
    assert "Version 2 reaches 85.0 % validation accuracy, 7.0 points worse than version 1 at 92.0 %" in said
    table = page.dataframe[0].value
    assert list(table["Version"]) == ["5", "4", "3", "2", "1"]
    assert list(table["Best"].round(1).fillna(0)) == [0, 90.0, 0, 85.0, 92.0]
    assert list(table["Judged"])[3:] == ["▼ worse", "★ the best"]
    assert list(table["Stage"])[3] == "@champion"
    assert table["Change"].round(1)[3] == -7.0
    assert "About the other versions" in said


def test_the_line_has_a_point_a_version_with_a_value(visit):
    (chart,) = visit().get("plotly_chart")
    (trace,) = json.loads(chart.proto.spec)["data"]
    assert trace["x"] == ["1", "2", "4"]
    assert trace["marker"]["symbol"][:2] == ["star", "triangle-down"]


def test_models_without_numbers_or_versions_are_told(visit):
    page = visit("lost-net")
    assert not page.get("plotly_chart")
    assert "Without numbers\\: 1" in words(page)
    assert list(page.dataframe[0].value["Version"]) == ["1"]
    page = visit("new-net")
    assert "has no version yet" in words(page)
    page.selectbox(key="model-picker").set_value("digit-net").run()
    assert not page.exception
    assert "digit-net has 5 versions" in words(page)


def test_a_store_without_models_and_no_store_are_told(visit, cross_validation):
    assert "No registered models" in words(visit(uri=cross_validation.uri))
    assert "No MLflow store is set" in words(visit(uri=None))


def test_a_hostile_model_name_in_the_address_shows_the_first(visit):
    page = visit("<script>alert(1)</script>")
    assert page.selectbox(key="model-picker").value == "digit-net"
    assert "script" not in words(page)
