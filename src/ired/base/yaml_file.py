"""YAML that a person wrote: what is wrong with it is one line that names the line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from ired.base.errors import UserError

# The parser in C where the library has it: ten times as fast.
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Twice(Exception):
    """A key, and the two lines it stands in."""


def _refuse_twice(node: Any, seen: set[int]) -> None:
    """YAML lets a key stand twice and takes the last one, which drops what a person wrote without a word.

    seen: nodes that were looked at: an anchor may stand in many places, and in itself.
    """
    if node is None or id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        for below in node.value:
            _refuse_twice(below, seen)
    elif isinstance(node, yaml.MappingNode):
        lines: dict[str, int] = {}
        for key, below in node.value:
            if isinstance(key, yaml.ScalarNode):
                if key.value in lines:
                    raise _Twice(key.value, lines[key.value], key.start_mark.line + 1)
                lines[key.value] = key.start_mark.line + 1
            _refuse_twice(below, seen)


def read_yaml(path: Path) -> Any:
    """The content of a YAML file.

    Raises:
        UserError: the file is missing or no valid YAML, or a key stands twice in one section.
    """
    try:
        loader = _Loader(path.read_text(encoding="utf-8"))
        try:
            node = loader.get_single_node()
            _refuse_twice(node, set())
            return None if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except FileNotFoundError:
        raise UserError(f"{path} is missing here; go to the project's folder") from None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text (byte {error.start}); save it as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark, problem = error.problem_mark or error.context_mark, error.problem or error.context
        where = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{where} is not valid YAML: {' '.join(str(problem).split())}") from None
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise UserError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from None
    except _Twice as error:
        key, first, second = error.args
        raise UserError(
            f"{path}, line {second}: the key '{key}' stands twice in one section, first in line {first}; the "
            "second would silently replace the first"
        ) from None
