"""Windows of the browser that show the studio's page."""

from dataclasses import dataclass, field
from typing import Any

from driving import until

WIDE, MEDIUM, NARROW = (1440, 900), (1024, 768), (390, 844)


@dataclass
class Studio:
    """A studio that is served, and the pages that a test opened of it."""

    mock: Any
    address: str
    browser: Any
    bad: list[str] = field(default_factory=list)
    allowed: list[str] = field(default_factory=list)
    contexts: list[Any] = field(default_factory=list)

    def open(self, place: str = "", size: tuple[int, int] = WIDE, **options: Any) -> Any:
        """A new window with a state of its own that shows ``place``, such as "talk/es"."""
        viewport = {"width": size[0], "height": size[1]}
        context = self.browser.new_context(
            **{"viewport": viewport, "locale": "en-GB", "reduced_motion": "reduce"} | options
        )
        context.set_default_timeout(60_000)
        self.contexts.append(context)
        return self.tab(context, place)

    def tab(self, context: Any, place: str = "") -> Any:
        """Another tab of a window."""
        page = context.new_page()
        page.on("console", lambda said: self.bad.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: self.bad.append(str(error)))
        page.goto(f"{self.address}/#/{place}" if place else self.address)
        return page

    def close(self) -> None:
        for context in self.contexts:
            context.close()
        wrong = [text for text in self.bad if not any(part in text for part in self.allowed)]
        assert not wrong, wrong


def ready(page: Any) -> None:
    """Waits until both videos can be sought in by their tables of frames."""
    page.wait_for_selector(".block")
    for name in ("film", "source"):
        until(page, f"document.querySelector('.stage .{name}').readyState > 1")
    until(page, "document.querySelector('.tc').textContent !== ''")
