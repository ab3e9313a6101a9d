"""Rooms of the package: imports go down, never up and never in a circle."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

# From the ground up. A room may import those on lower floors; rooms of one floor do not know each other.
FLOORS: tuple[tuple[str, ...], ...] = (
    ("base",),
    ("tasks", "record"),
    ("energy", "sentences"),
    ("diffusion", "statistics"),
    ("negatives", "tables", "figures"),
    ("training", "report"),
    ("study", "watch"),
    ("job",),
    ("diagnostics", "cluster", "trained", "method"),
    ("cli", "__init__"),
    ("__main__",),  # the door
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
# What only reads tables knows nothing of the mathematics, and loads no torch.
READERS = {"record", "statistics", "sentences", "tables", "figures", "report"}
MATHEMATICS = {
    "tasks",
    "energy",
    "diffusion",
    "negatives",
    "training",
    "study",
    "job",
    "diagnostics",
    "cluster",
}


def outside_of_functions(tree: ast.Module) -> Iterator[ast.AST]:
    """The statements of a module that run, or are read by a type checker, when it is imported."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node
            waiting += ast.iter_child_nodes(node)


def imports(nodes: Callable[[ast.Module], Iterable[ast.AST]] = ast.walk) -> dict[str, set[str]]:
    """Module -> modules of this package that it imports, anywhere in it or among some of its statements."""
    root = Path(__file__).parents[2] / "src"
    names = {
        ".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): p
        for p in root.rglob("*.py")
    }
    found: dict[str, set[str]] = {}
    for name, path in names.items():
        found[name] = set()
        for node in nodes(ast.parse(path.read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "ired":
                submodules = {f"{node.module}.{alias.name}" for alias in node.names}
                found[name] |= (submodules & set(names)) or {str(node.module)}
            elif isinstance(node, ast.Import):
                found[name] |= {alias.name for alias in node.names if alias.name.startswith("ired.")}
    return found


def room(module: str) -> str:
    return module.split(".")[1] if "." in module else "__init__"


def test_every_room_has_a_floor_and_says_what_it_is_for() -> None:
    root = Path(__file__).parents[2] / "src/ired"
    assert {p.stem for p in root.iterdir() if p.suffix == ".py" or (p / "__init__.py").exists()} == set(FLOOR)
    for package in (p for p in root.iterdir() if (p / "__init__.py").exists()):
        said = ast.get_docstring(ast.parse((package / "__init__.py").read_text()))
        assert said and "must not import" in said.replace("\n", " ").lower(), package.name


def test_imports_go_down() -> None:
    upward = {
        f"{module} -> {other}"
        for module, others in imports().items()
        for other in others
        if room(other) != room(module) and FLOOR[room(other)] >= FLOOR[room(module)]
    }
    assert not upward, sorted(upward)


def test_no_circle_of_modules() -> None:
    """A strategy that is made of strategies looks them up when it is built, inside a function."""
    list(TopologicalSorter(imports(outside_of_functions)).static_order())  # raises, and names the circle


def test_readers_of_tables_know_nothing_of_the_mathematics() -> None:
    crossing = {
        f"{module} -> {other}"
        for module, others in imports().items()
        for other in others
        if room(module) in READERS and room(other) in MATHEMATICS
    }
    assert not crossing, sorted(crossing)
