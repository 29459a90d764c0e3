"""Docstrings that reuse entries of the docstrings of other classes."""

import re
from inspect import cleandoc

from ._typing import Decorator

#: An entry of a section in numpydoc style.
ENTRY = re.compile(r"^(\w+) : .*(?:\n *$|\n    .*)*", re.MULTILINE)

#: Names in braces, on one or more lines.
PLACEHOLDER = re.compile(r"^\{([\w,\s]+)\}$", re.MULTILINE)


def takes_entries(*sources: type) -> Decorator:
    """Return a decorator that replaces `{name, name}` by entries of other classes."""
    docs = [cleandoc(source.__doc__ or "") for source in sources]
    entries = {entry[1]: entry[0].rstrip() for doc in docs for entry in ENTRY.finditer(doc)}

    def join_entries(placeholder):
        return "\n".join(entries[name] for name in re.findall(r"\w+", placeholder[1]))

    def fill(cls):
        if cls.__doc__:  # None under `python -OO`
            cls.__doc__ = PLACEHOLDER.sub(join_entries, cleandoc(cls.__doc__)) + "\n"
        return cls

    return fill
