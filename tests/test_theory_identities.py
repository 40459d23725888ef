"""Every identity of theory/ is true as it is stated and false with any of its slips; and what makes an identity."""

import doctest
import inspect
import pkgutil
from importlib import import_module
from types import ModuleType

import pytest
from ratewitness import theory
from ratewitness.theory import adagrad, kronecker, norms
from ratewitness.theory.identity import Identity, identities, identity

WITHOUT = {"bounds", "gradient_descent", "identity", "words"}  # the files that prove no identity
MODULES = {info.name: import_module(f"{theory.__name__}.{info.name}") for info in pkgutil.iter_modules(theory.__path__)}
CATALOGUE = {f"{module}.{name}": one for module, found in MODULES.items() for name, one in identities(found).items()}
VARIANTS = {f"{name}, {slip}": variant for name, one in CATALOGUE.items() for slip, variant in one.variants.items()}


@pytest.mark.parametrize("name", CATALOGUE)
def test_true_as_stated(name):
    assert CATALOGUE[name]() is True


@pytest.mark.parametrize("name", VARIANTS)
def test_false_with_a_slip(name):
    assert VARIANTS[name]() is False


def test_every_file_that_proves_something_is_in_the_catalogue():
    assert {module for module in MODULES if not identities(MODULES[module])} == WITHOUT
    assert len(CATALOGUE) >= 157


def test_the_words_that_name_slips():
    words = " ".join(VARIANTS)
    assert all(word in words for word in ("dual exponent p", "argmax", "transposed factor V U^T", "power -1/2"))


def twice(factor=2, shift=0) -> bool:
    """x + x is 2 x.

    >>> twice(), twice(factor=3)
    (True, False)
    """
    return factor == 2 and shift == 0


def test_a_slip_without_a_name():
    stated = identity(factor=3, shift=1)(twice)
    assert stated.wrong == {"a wrong constant": {"factor": 3, "shift": 1}}
    assert stated() is True
    assert stated(shift=1) is False
    assert stated.variants["a wrong constant"]() is False


def test_slips_with_names_stand_in_order_after_the_one_without():
    stated = identity(wrong={"thrice": {"factor": 3}, "shifted": {"shift": 1}}, factor=4)(twice)
    assert list(stated.variants) == ["a wrong constant", "thrice", "shifted"]
    assert not any(variant() for variant in stated.variants.values())


def test_it_reads_like_the_proof():
    stated = identity(factor=3)(twice)
    assert isinstance(stated, Identity)
    assert stated.proof is twice
    assert (stated.name, stated.__name__, stated.__module__) == ("twice", "twice", __name__)
    assert inspect.getdoc(stated) == inspect.getdoc(twice)
    assert inspect.signature(stated) == inspect.signature(twice)


def test_its_examples_are_found_and_run():
    module = ModuleType("of_one_proof")
    for example, failed in (("True", 0), ("False", 1)):

        def proof(factor=2) -> bool:
            return factor == 2

        proof.__module__, proof.__doc__ = module.__name__, f">>> proof()\n{example}\n"
        module.proof = identity(factor=3)(proof)
        (found,) = (test for test in doctest.DocTestFinder().find(module) if test.examples)
        result = doctest.DocTestRunner().run(found, out=lambda line: None)
        assert (result.attempted, result.failed) == (1, failed)
    found = {test.name for test in doctest.DocTestFinder().find(kronecker) if test.examples}
    assert {"ratewitness.theory.kronecker.vectorization", "ratewitness.theory.kronecker.one_matrix"} <= found


def test_nothing_is_remembered():
    asked = []

    @identity(factor=3)
    def counted(factor=2) -> bool:
        asked.append(factor)
        return factor == 2

    assert [counted(), counted(), *(variant() for variant in counted.variants.values())] == [True, True, False]
    assert asked == [2, 2, 3]


def test_only_the_identities_of_a_module_in_order():
    assert list(identities(norms)) == ["rearrangement", "signed_permutations", "gradient_of_the_dual", "scaling"]
    assert adagrad.cauchy_schwarz is kronecker.cauchy_schwarz
    assert "cauchy_schwarz" not in identities(adagrad)
    assert list(identities(kronecker))[:2] == ["vectorization", "cauchy_schwarz"]
