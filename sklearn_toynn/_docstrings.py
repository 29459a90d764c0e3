"""Docstrings of classes that take entries from those of others."""

import re
from inspect import cleandoc

from ._typing import Decorator

#: An entry of a section in numpydoc's form.
ENTRY = re.compile(r"^(\w+) : .*(?:\n *$|\n    .*)*", re.MULTILINE)

#: A line of names in braces, which may be broken.
PLACEHOLDER = re.compile(r"^\{([\w,\s]+)\}$", re.MULTILINE)


def takes_entries(*sources: type) -> Decorator:
    """Return a decorator that puts entries of other classes in the place of `{name, name}`."""
    docs = [cleandoc(source.__doc__ or "") for source in sources]
    entries = {entry[1]: entry[0].rstrip() for doc in docs for entry in ENTRY.finditer(doc)}

    def join_entries(placeholder):
        return "\n".join(entries[name] for name in re.findall(r"\w+", placeholder[1]))

    def fill(cls):
        if cls.__doc__:  # there is none under `python -OO`
            cls.__doc__ = PLACEHOLDER.sub(join_entries, cleandoc(cls.__doc__)) + "\n"
        return cls

    return fill
