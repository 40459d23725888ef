"""What `make test-mutants` changes in the code, what it leaves alone, and that it sees where a line is reached."""

import ast

import mutation
import pytest


def mutants(monkeypatch, text):
    monkeypatch.setattr(mutation, "original", lambda file: ast.parse(text))
    return mutation.possible("theory/made_up.py")


@pytest.mark.parametrize(
    ("text", "kind", "after"),
    [
        ("def f(x):\n    return 2", "constant", {"return 3", "return 1"}),
        ("def f(x):\n    return 0.5", "constant", {"return 0.55", "return 0.45"}),
        ("def f(x):\n    return 1e-09", "constant", {"return 1e-08", "return 1e-10"}),
        ("def f(x):\n    return True", "constant", {"return False"}),
        ("def f(x):\n    return x + x", "sign", {"return x - x"}),
        ("def f(x):\n    return -x", "sign", {"return x"}),
        ("def f(x):\n    return x < x", "comparison", {"return x <= x", "return x >= x"}),
        ("def f(x):\n    return x is x", "comparison", {"return x is not x"}),
        ("def f(x):\n    return x[0]", "index", {"return x[1]", "return x[-1]"}),
        ("def f(x):\n    return x.sum(dim=1)", "index", {"return x.sum(dim=2)", "return x.sum(dim=0)"}),
    ],
)
def test_one_thing_is_changed(monkeypatch, text, kind, after):
    found = mutants(monkeypatch, text)
    assert {each.kind for each in found} == {kind}
    bodies = {ast.unparse(mutation.mutated(each).body[0].body[-1]) for each in found}
    assert bodies == after
    assert all(each.function and each.definition == "f" for each in found)
    assert {mutation.shown(each)[0] for each in found} == {text.rpartition("return ")[2]}


@pytest.mark.parametrize(
    "text",
    [
        "def f(x):\n    raise ValueError(f'{x - 1} is {x}; accepted are numbers above 0', 1)",
        "def f(x: Literal[1] = x) -> Literal[2]: ...",
        "@identity(factor=3)\ndef f(x): ...",
        "generator = torch.Generator().manual_seed(1)",
        "if __name__ == '__main__':\n    main(1)",
        "def f(x):\n    '''Twice x.\n\n    >>> f(2)\n    4\n    '''",
    ],
)
def test_what_no_test_should_see_is_left_alone(monkeypatch, text):
    assert mutants(monkeypatch, text) == []


def test_the_sample_repeats_and_has_some_of_every_file(monkeypatch):
    files = ["theory/moments.py", "solvers/gradient_descent.py", "studies/judges.py"]
    monkeypatch.setattr(mutation, "files", lambda: files)
    first = mutation.drawn(40, 0)
    assert first == mutation.drawn(40, 0) != mutation.drawn(40, 1)
    assert len(set(first)) == 40
    assert {each.file for each in first} == set(files)
    assert {each.kind for each in first} == {"constant", "sign", "comparison", "index"}


def test_marks_say_what_is_run_and_change_nothing(monkeypatch):
    text = """
class Counter:
    'Counts.'
    step = 1

    def __call__(self, x):
        'Up or down.'
        if x > 0:
            return (lambda y:
                    y + self.step)(x)
        for _ in range(2):
            x -= 1
        return x
"""
    monkeypatch.setattr(mutation, "original", lambda file: ast.parse(text))
    reached = set()
    names = {"__reached__": reached.add}
    exec(compile(mutation.with_marks("a.py"), "a.py", "exec"), names)
    counter = names["Counter"]()
    assert (counter.__doc__, counter.__call__.__doc__, reached) == ("Counts.", "Up or down.", set())
    assert counter(3) == 4
    assert {line for _, line in reached} == {8, 9, 10}
    reached.clear()
    assert counter(-3) == -5
    assert {line for _, line in reached} == {8, 11, 12, 13}


def test_a_fork_answers_or_says_why_not():
    assert mutation.apart(lambda: 2, 60.0) == 2
    assert mutation.apart(lambda: mutation.os._exit(1), 60.0) == "died"
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        mutation.apart(lambda: 1 / 0, 60.0)


def test_code_is_exchanged_in_what_is_alive():
    old, new = (mutation.codes(compile(f"def f(x):\n    return x + {n}", "f.py", "exec")) for n in (1, 2))
    names = {}
    exec(old[0], names)
    assert mutation.identity(names["f"].__code__) == mutation.identity(old[1])
    names["f"].__code__ = new[1]
    assert names["f"](1) == 3
