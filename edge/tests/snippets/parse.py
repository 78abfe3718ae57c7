"""Says whether a text parses: `parse.py LANGUAGE < TEXT` prints `parses` or the first error's line."""

import importlib
import sys

from tree_sitter import Language, Parser

FUNCTIONS = {"php": "language_php"}


def first_error(node):
    if node.is_error or node.is_missing:
        return node
    return next(filter(None, map(first_error, node.children)), None)


name = sys.argv[1]
module = importlib.import_module(f"tree_sitter_{name}")
language = Language(getattr(module, FUNCTIONS.get(name, "language"))())
error = first_error(Parser(language).parse(sys.stdin.buffer.read()).root_node)
print("parses" if error is None else f"line {error.start_point[0] + 1}")
