"""What a model URI or a run id stands for."""

from __future__ import annotations

import re

from copilot.errors import InputError, NotFoundError
from copilot.integrations.mlflow.records import ModelVersion, ResolvedModel, is_run_id, nearest
from copilot.integrations.mlflow.stores import Store
from copilot.utils.validators import clean_text

MODEL_FORMS = "Use a run id, runs:/RUN_ID/model, models:/NAME/VERSION, models:/NAME@ALIAS or models:/m-ID."


def resolve(store: Store, model_or_run: str) -> ResolvedModel:
    """See `MlflowSource.resolve`."""
    text = model_or_run.strip()
    if match := re.fullmatch(r"runs:/+([^/]+)(/.*)?", text):
        return ResolvedModel(store.run(match[1]).run_id, text if match[2] else None)
    if match := re.fullmatch(r"models:/+(m-[0-9A-Za-z]+)(/.*)?", text):
        return ResolvedModel(store.run_of_logged_model(match[1]), text)
    if match := re.fullmatch(r"models:/+([^/@]+)(?:/([^/@]+)|@([^/@]+))?", text):
        return _registered(store, *match.groups())
    if not is_run_id(text):
        raise InputError(f"'{clean_text(text, 80)}' is neither a run id nor a model URI.", MODEL_FORMS)
    info = store.run(text)
    return ResolvedModel(info.run_id, next(iter(info.model_uris), None))


def _registered(store: Store, name: str, version: str | None, alias: str | None) -> ResolvedModel:
    model = store.registered_model(name)
    if model is None:
        known = sorted(m.name for m in store.registered_models())
        raise NotFoundError(f"There is no registered model '{clean_text(name, 80)}'.", nearest(name, known))
    found = next((v for v in model.versions if _is_meant(v, version, alias)), None)
    if found is None:
        asked = f"alias '{alias}'" if alias else f"version '{version}'" if version else "version"
        versions = ", ".join("@".join([v.version, *v.aliases]) for v in model.versions[:8]) or "none"
        raise NotFoundError(f"{model.name} has no {clean_text(asked, 80)}.", f"Its versions: {versions}.")
    return ResolvedModel(found.run_id, f"models:/{name}/{found.version}", model.name, found.version)


def _is_meant(version: ModelVersion, asked: str | None, alias: str | None) -> bool:
    if alias:
        return alias in version.aliases
    return asked in (None, "latest", version.version) or (asked or "").lower() == version.stage.lower()
