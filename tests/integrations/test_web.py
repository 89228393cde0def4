from __future__ import annotations

import threading
import time

import pytest

from copilot.errors import InputError, ToolError
from copilot.integrations.web import Service, fetch
from tests.integrations.paper_servers import PaperServer


def get(url: str, seconds: float = 2.0, **kwargs) -> bytes:
    return fetch(url, Service("Service", url, "research.some_url"), time.monotonic() + seconds, **kwargs)


@pytest.mark.parametrize(
    "url", ["", "ftp://host/x", "file:///etc/passwd", "host", "http://", "http://[::1", "http://h:x"]
)
def test_only_web_addresses_are_taken(url):
    with pytest.raises(InputError, match=r"research\.some_url is not a web address"):
        Service("Service", url, "research.some_url")


def test_credentials_in_an_address_stay_out_of_messages():
    service = Service("Service", "http://eve:hunter2@host/x?api_key=abc123&q=1", "research.some_url")
    message = str(service.error("is gone"))
    assert "hunter2" not in message
    assert "abc123" not in message
    assert "http://***@host/x" in message


def test_a_dead_port_is_told_at_once(free_port):
    started = time.monotonic()
    with pytest.raises(
        ToolError, match=r"could not be reached: no connection\. Check the network or set research\.some_url"
    ):
        get(f"http://127.0.0.1:{free_port()}/")
    assert time.monotonic() - started < 4


def test_an_unknown_name_is_told():
    with pytest.raises(ToolError, match=r"its name is not known|no whole answer in time"):
        get("http://nobody.invalid/", seconds=5)


@pytest.mark.parametrize("mode", ["drip_body", "drip_headers"])
def test_the_time_limit_covers_the_whole_answer(mode):
    with PaperServer(mode) as server:
        started = time.monotonic()
        with pytest.raises(ToolError, match="gave no whole answer in time"):
            get(f"{server.arxiv_url}?search_query=all:labels&start=0&max_results=5", seconds=0.7)
        assert 0.6 < time.monotonic() - started < 4  # the whole answer takes 30 s


def test_a_dripped_body_does_not_leave_its_thread_behind():
    before = set(threading.enumerate())
    with PaperServer("drip_body") as server:
        with pytest.raises(ToolError):
            get(f"{server.arxiv_url}?search_query=all:labels&start=0&max_results=5", seconds=0.4)
        for _ in range(40):
            if not any(thread.name == "paper-source" for thread in set(threading.enumerate()) - before):
                break
            time.sleep(0.05)
        else:
            pytest.fail("the request goes on after its time")


def test_a_huge_body_is_cut_off():
    with PaperServer("huge") as server, pytest.raises(ToolError, match="answered with more than 4 MB"):
        get(server.arxiv_url, seconds=10)


def test_redirects_are_followed_on_the_same_host_only():
    with PaperServer("redirect_home") as server:
        url = f"{server.arxiv_url}?search_query=all:labels&start=0&max_results=5"
        assert b"<feed" in get(url)
        assert [asked.query.get("home") for asked in server.asked] == [None, ["1"]]
    with PaperServer() as other, PaperServer("redirect", elsewhere=f"{other.url}/login") as server:
        with pytest.raises(ToolError, match=r"sends requests on to http://127\.0\.0\.1, which is not followed"):
            get(server.arxiv_url, headers={"x-api-key": "secret"})
        assert other.asked == []
    for target in ("file:///etc/passwd", "//[", "javascript:alert(1)"):
        with (
            PaperServer("redirect", elsewhere=target) as server,
            pytest.raises(ToolError, match=r"not followed|reached"),
        ):
            get(server.arxiv_url)


def test_a_circle_of_redirects_ends():
    with PaperServer("circle") as server:
        with pytest.raises(ToolError, match="redirects in a circle"):
            get(server.arxiv_url)
        assert len(server.asked) == 4
