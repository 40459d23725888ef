"""Tables from files, and the data sets that come with scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.data.tables import (
    DataError,
    breast_cancer,
    design,
    diabetes,
    digits,
    from_file,
    load_table,
    two_classes,
)
from ratewitness.studies.rates import every_problem as study
from sklearn.datasets import dump_svmlight_file, load_digits, load_svmlight_file
from sklearn.linear_model import LogisticRegression

finite = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda v: round(v, 6))
tables = arrays(np.float64, st.tuples(st.integers(1, 8), st.integers(2, 5)), elements=finite)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tables")


@given(table=tables, header=st.booleans(), blank=st.booleans())
@settings(deadline=None, max_examples=40)
def test_csv_comes_back(folder, table, header, blank):
    path = folder / "table.csv"
    lines = [",".join(map(repr, row)) for row in table.tolist()]
    names = [",".join(f"column {j}" for j in range(table.shape[1]))] if header else []
    path.write_text("\n".join(names + lines + [""] * blank) + "\n")
    A, y = load_table(path)
    assert np.array_equal(A, table[:, :-1])
    assert np.array_equal(y, table[:, -1])


@given(table=tables, one_based=st.just(True))
@settings(deadline=None, max_examples=40)
def test_libsvm_agrees_with_scikit_learn(folder, table, one_based):
    table[0, 0] = 1.0  # or the file holds no feature at all
    path = str(folder / "table.libsvm")
    dump_svmlight_file(table[:, :-1], table[:, -1], path, zero_based=not one_based)
    theirs, targets = load_svmlight_file(path, zero_based=False)
    A, y = load_table(path)
    assert np.array_equal(A, theirs.toarray())
    assert np.array_equal(y, targets)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.csv", "", "holds no data"),
        ("a.csv", "\n  \n", "holds no data"),
        ("a.csv", "height,target\n", "a header and no data"),
        ("a.csv", "1,2,0\n1,2\n", "line 2: 2 columns where the lines before have 3"),
        ("a.csv", "x,y\n1,2\n\n1,2,3\n", "line 4: 3 columns where the lines before have 2"),
        ("a.csv", "1,2,0\n1,red,1\n", "line 2: 'red' is not a number"),
        ("a.csv", "a,b,c\n1,2,0\na,b,c\n", "line 3: 'a' is not a number"),
        ("a.csv", "1,,0\n", "line 1: '' is not a number"),
        ("a.csv", "1,b,c\n", "line 1: 'b' is not a number"),
        ("a.csv", "1,nan,0\n", "line 1: 'nan'; accepted are finite"),
        ("a.csv", "1,2,-inf\n", "line 1: '-inf'; accepted are finite"),
        ("a.csv", "1\n2\n", "line 1: one column"),
        ("a.csv", "1;2;0\n1;2;1\n", "separated by commas"),
        ("a.txt", "1 1:2\n0 0:3\n", "line 2: '0:3' is no index:value pair"),
        ("a.txt", "1 -1:2\n", "line 1: '-1:2' is no index:value pair"),
        ("a.txt", "1 2:1 2:3\n", "line 1: index 2 occurs twice"),
        ("a.txt", "1 2:x\n", "line 1: 'x' is not a number"),
        ("a.txt", "cat 2:1\n", "line 1: 'cat' is not a number"),
        ("a.txt", "1 2:inf\n", "line 1: 'inf'; accepted are finite"),
        ("a.txt", "1 qid:3 1:2\n", "line 1: 'qid:3' is no index:value pair"),
        ("a.txt", "1 2\n", "line 1: '2' is no index:value pair"),
        ("a.txt", "1\n0\n", "no features"),
        ("a.txt", "1 1:1 # a comment\n# another\n\n0 1:2:3\n", "line 4: '2:3' is not a number"),
        ("a.csv", f"{'1' * 140_000},0\n", "line 1: field larger than field limit"),
        ("a.csv", f"{'9' * 5_000},0\n", "accepted are finite"),
        ("a.txt", f"1 {'9' * 5_000}:1\n", "line 1: an index of 5000 digits; accepted are up to 18"),
        ("a.txt", "1 000:1\n", "line 1: '000:1' is no index:value pair"),
        ("a.txt", "1 999999999:1\n0 1:1\n", "2 rows of 999999999 features"),
    ],
)
def test_what_is_no_table_is_named(tmp_path, name, text, message):
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        load_table(path)
    said = str(caught.value)
    assert message in said
    assert str(path) in said
    assert "\n" not in said
    assert len(said) < 500
    assert "accepted" in said or "columns where" in said


def test_what_is_no_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere\.csv: no such file; accepted are"):
        load_table(tmp_path / "nowhere.csv")
    with pytest.raises(DataError, match="is a directory; accepted are"):
        load_table(tmp_path)
    (tmp_path / "image.png").write_bytes(bytes(range(128, 256)))
    with pytest.raises(DataError, match="not a text file; accepted are"):
        load_table(tmp_path / "image.png")


def test_windows_files_and_quotes_are_read(tmp_path):
    (tmp_path / "a.csv").write_bytes(b'\xef\xbb\xbf"x","y"\r\n"1", 2\r\n3,4\r\n')
    A, y = load_table(tmp_path / "a.csv")
    assert (A.tolist(), y.tolist()) == ([[1.0], [3.0]], [2.0, 4.0])


def test_two_classes_become_signs():
    assert two_classes(np.array([3, 8, 8])).tolist() == [-1, 1, 1]
    assert two_classes(np.array([0.0, -5.0])).tolist() == [1, -1]


@given(A=arrays(np.float64, (6, 3), elements=st.floats(-1e150, 1e150)), constant=finite)
@settings(deadline=None, max_examples=60)
def test_design_standardizes_and_drops_what_is_constant(A, constant):
    X = design(np.column_stack([A, np.full(6, constant)])).numpy()
    assert np.isfinite(X).all()
    assert (X[:, -1] == 1).all()
    assert X.shape[1] <= 4
    np.testing.assert_allclose(X[:, :-1].mean(0), 0, atol=1e-3)
    np.testing.assert_allclose((X[:, :-1] ** 2).mean(0), 1, rtol=1e-3)


def test_shipped_data_have_their_documented_shapes():
    shapes = {p.name: (p.n, *p.shape) for p in (digits(), digits(classes=None, l2=1.0), breast_cancer(1.0), diabetes())}
    assert shapes == {
        "digits 3/8": (357, 55),
        "digits odd/even": (1797, 62),
        "breast cancer": (569, 31),
        "diabetes": (442, 11),
    }


def test_digits_labels_are_the_digits():
    A, y = load_digits(return_X_y=True)
    problem = digits(classes=(3, 8))
    w = -problem.grad(torch.zeros(problem.shape, dtype=torch.float64))  # points from the mean 3 to the mean 8
    scores = design(A[np.isin(y, (3, 8))]) @ w
    assert scores[y[np.isin(y, (3, 8))] == 8].mean() > scores[y[np.isin(y, (3, 8))] == 3].mean()


def test_which_shipped_data_are_separable():
    assert digits().minimizer is None
    assert breast_cancer().minimizer is None
    with pytest.raises(ValueError, match="quasi-separable"):  # a pixel that is black in all images but some of one class
        digits(classes=None)


def test_a_file_becomes_a_problem(tmp_path):
    generator = np.random.default_rng(0)
    A, y = generator.normal(size=(80, 3)), generator.integers(0, 2, 80)
    np.savetxt(tmp_path / "mine.csv", np.column_stack([A, y]), delimiter=",", header="a,b,c,target", comments="")
    rows, target = load_table(tmp_path / "mine.csv")
    problem = logistic(design(rows), two_classes(target), l2=0.1)
    theirs = LogisticRegression(C=1 / (0.1 * 80), fit_intercept=False, tol=1e-10).fit(design(A).numpy(), y)
    np.testing.assert_allclose(problem.minimizer.numpy(), theirs.coef_[0], atol=1e-6)


def test_from_file_builds_the_problem_of_the_target(tmp_path):
    generator = np.random.default_rng(0)
    A = generator.normal(size=(40, 3))
    y = A[:, 0] + generator.normal(size=40)
    np.savetxt(tmp_path / "labels.csv", np.column_stack([A, y > 0]), delimiter=",")
    np.savetxt(tmp_path / "values.csv", np.column_stack([A, 1000 * y]), delimiter=",")
    labels, values = from_file(tmp_path / "labels.csv"), from_file(str(tmp_path / "values.csv"))
    assert (labels.name, labels.n, labels.shape, labels.constants.pl) == ("labels.csv", 40, (4,), 0.01)
    assert (values.name, values.n, values.shape, values.constants.variance) == ("values.csv", 40, (4,), np.inf)
    assert float(values.initial_gap) + values.constants.optimum == pytest.approx(1 / 2)  # mean square 1
    assert labels.constants.variance < np.inf


@pytest.mark.parametrize("targets", [(0, 1, 1, 1), (1, 2, 3, -1), (1e300, -3e299, 1e300, 1e299), (1e-300, 2e-300, 0, 0)])
@pytest.mark.parametrize("scale", [1e300, 1.0, 1e-300])
def test_from_file_stands_extreme_scales(tmp_path, targets, scale):
    A = scale * np.array([[1, 0.1], [0.2, 1], [-1, 0.3], [0.5, -1.0]])
    np.savetxt(tmp_path / "a.csv", np.column_stack([A, targets]), delimiter=",")
    problem = from_file(tmp_path / "a.csv")
    c = problem.constants
    numbers = [c.smoothness, c.pl, c.component_smoothness, c.optimum, c.optimum_error, problem.radius, problem.initial_gap]
    assert np.isfinite([float(number) for number in numbers]).all()
    assert c.pl > 0
    assert problem.initial_gap > 1e3 * problem.floor


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2,0\n", "holds one row; accepted are two or more"),
        ("1,2,0\n1,2,1\n1,2,1\n", "no feature varies"),
        ("1,0,3\n4,5,3\n1,2,3\n", "the target is 3 in every row"),
        ("1,2,0\n4,5,0\n1,0,0\n", "the target is 0 in every row"),
        ("1,0\n-1,0\n1,1\n-1,1\n", "the start 0 is the minimizer"),  # the classes have the same mean
        ("1,1\n1,-1\n-1,2\n-1,-2\n", "the start 0 is the minimizer"),
        ("0.1,0.1\n0.1,-0.1\n0.3,0.7\n0.3,-0.7\n", "the start 0 is the minimizer"),  # up to rounding
        ("1,red\n", "'red' is not a number"),
    ],
)
def test_from_file_refuses_tables_without_a_problem(tmp_path, text, message):
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(DataError) as caught:
        from_file(path)
    said = str(caught.value)
    assert message in said
    assert said.startswith(str(path))
    assert "accepted" in said
    assert "\n" not in said


def test_from_file_refuses_what_float64_cannot_resolve(tmp_path):
    """Columns that differ in the last digits: an eigenvalue just above the error of computing it."""
    generator = np.random.default_rng(0)
    first, y = generator.normal(size=(2, 30))
    refusals = []
    for tilt in np.logspace(-15, -12, 25):
        table = np.column_stack([first, first + tilt * generator.normal(size=30), y])
        np.savetxt(tmp_path / "a.csv", table, delimiter=",")
        try:
            problem = from_file(tmp_path / "a.csv")
        except DataError as error:
            refusals.append(str(error))
        else:
            assert problem.initial_gap > 1e3 * problem.floor
    assert refusals
    assert all("drowns in rounding errors" in said for said in refusals)


def test_the_study_takes_the_file_and_loses_no_problem(tmp_path):
    generator = np.random.default_rng(0)
    A = generator.normal(size=(30, 2))
    np.savetxt(tmp_path / "labels.csv", np.column_stack([A, A[:, 0] + generator.normal(size=30) > 0]), delimiter=",")
    found = study.problems(0, 1, str(tmp_path / "labels.csv"), "cpu")
    own = found["file labels.csv"]
    cells = ("gd_pl", "gd_convex", "gd_nonconvex", "sgd_pl", "sgd_convex", "sgd_nonconvex")
    assert all(study.meets(cell, own) for cell in cells)
    assert found is not study.problems(0, 1, None, "cpu")
    assert found is not study.problems(0, 1, str(tmp_path / "labels.csv"), "cpu:0")
    for change in ({"smoothness": np.inf}, {"pl": np.nan}, {"variance": np.nan}):
        with pytest.raises(ValueError, match=r"own: .*accepted are"):
            study.check_numbers("own", replace(own, constants=replace(own.constants, **change)))
    for change in ({"start": own.minimizer}, {"floor": np.nan}, {"floor": np.inf}):
        with pytest.raises(ValueError, match=r"own: .*accepted are"):
            study.check_numbers("own", replace(own, **change))
    records = pd.DataFrame({"problem": ["a", "a"]})
    assert study.recorded(records, ["a"]) is records
    with pytest.raises(RuntimeError, match="no record above the floor of b"):
        study.recorded(records, ["a", "b"])
