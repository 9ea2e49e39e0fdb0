"""Where a report tells how long the run took: a run answered from the cache takes another time. Formats nothing.

Each format tells it once, in a form that nothing else in it can have: a person's report in its last line, JSON in a
line that no text of others can make, as quotes are escaped there, JUnit in its first element.
"""

from __future__ import annotations

import re

# JSON and SARIF: a key that stands alone on its line. JUnit: an attribute of the root. People: the last line of all.
_JSON = re.compile(r'^ *"seconds": (\d+\.\d+),$', re.MULTILINE)
_JUNIT = re.compile(r'\A<\?xml [^\n]*\n<testsuites [^\n>]*\btime="(\d+\.\d+)"')
_PEOPLE = re.compile(r"files?(?: \(\d+ read\))?, (\d+\.\d+) s[^\n]*\n\Z")


def around_seconds(text: str) -> tuple[str, int | None, str]:
    """What stands before the seconds, with how many decimal places they are told, and what stands after them.

    All text and None where a format does not tell them.
    """
    found = _JUNIT.search(text) or _PEOPLE.search(text) or (_JSON.search(text) if text.startswith("{") else None)
    if found is None:
        return text, None, ""
    start, end = found.span(1)
    return text[:start], len(found[1].partition(".")[2]), text[end:]
