"""Empty, error and partial states: what happened, what to do, one button. Never a stack trace."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import streamlit as st

from copilot.errors import CopilotError, MissingExtraError, ToolError
from copilot.utils.logging import get_logger
from copilot.utils.validators import clean_text

log = get_logger(__name__)


def plain(text: object, limit: int = 300) -> str:
    """Outside text for a Markdown element: one line, capped, marks escaped, addresses not made links."""
    line = clean_text(text, limit)
    safe = "".join(f"\\{c}" if c in "\\`*_{}[]()#+!|<>~$:@" else c for c in line)
    return safe.replace("\\://", "\\:\u2060//").replace("www.", "www\u2060.")


def notice(
    icon: str, title: str, text: str, *, button: str = "", on_click: Callable[[], None] | None = None, key: str = ""
) -> bool:
    """A calm card that says what happened and what to do; True when its button was pressed."""
    with st.container(border=True, horizontal_alignment="center", gap="small", key=key or None):
        st.markdown(f"### :material/{icon}: {title}", text_alignment="center")
        st.markdown(text, text_alignment="center")
        return bool(button) and st.button(button, on_click=on_click, type="primary", key=f"{key or title}-button")


@contextmanager
def guard(what: str = "This page") -> Iterator[None]:
    """Turn errors below into a notice; the rest of the page stands."""
    try:
        yield
    except CopilotError as error:
        icon = (
            "extension_off"
            if isinstance(error, MissingExtraError)
            else "cloud_off"
            if isinstance(error, ToolError)
            else "info"
        )
        notice(icon, plain(error.message), plain(error.hint), key=f"notice-{abs(hash(error.message))}")
        if isinstance(error, ToolError) and not isinstance(error, MissingExtraError):
            st.button("Try again", icon=":material/refresh:", key=f"again-{abs(hash(error.message))}")
    except Exception as error:
        log.error("page failed", what=what, error=type(error).__name__, reason=str(error)[:300], exc_info=error)
        text = "The reason is in the dashboard's log. Nothing was lost; try again, or pick another run."
        notice("error", f"{what} could not be shown", text, key="notice-unexpected")
