"""Real data: the tables that scikit-learn ships, and anyone's table in LIBSVM or CSV format.

    problem = from_file("my.csv")
    A, y = load_table("my.csv");    problem = logistic(design(A), two_classes(y, "my.csv"), l2=1e-3)

`design` gives every column mean 0 and mean square 1, and appends a column of ones, the intercept; like every other
coefficient it is regularized where a problem is. Columns without variation are dropped, the intercept replaces them.

The digits are 8 x 8 images of handwritten digits, the breast cancer data 30 measurements of 569 tumours, the diabetes
data 10 measurements of 442 patients with a measure of progression, which is scaled to mean square 1 here.
"""

from __future__ import annotations

import csv
import math
import re
from pathlib import Path

import numpy as np
import torch
from ratewitness.problems.data.least_squares import least_squares
from ratewitness.problems.data.logistic import logistic
from ratewitness.problems.problem import FiniteSum
from torch import Tensor

DIGITS = 18  # of an index in a LIBSVM file; int() refuses thousands
LARGEST = 2 * 10**8  # numbers in a table, 1.6 GB as float64
FORMATS = (
    "accepted are CSV (numbers, the target in the last column, an optional header line) "
    "and LIBSVM (a target, then index:value pairs, indices from 1 on)"
)


class DataError(ValueError):
    """A file that is no table of numbers; the message names file, line, what is wrong and what is accepted."""


def digits(l2: float = 0.0, classes: tuple[int, int] | None = (3, 8)) -> FiniteSum:
    """Logistic regression on two classes of the digits; None tells odd from even on all 1797 images (l2 > 0 only)."""
    from sklearn.datasets import load_digits  # not every use of the package needs it

    A, y = load_digits(return_X_y=True)
    kept = slice(None) if classes is None else np.isin(y, classes)
    labels = y % 2 if classes is None else y == classes[1]
    name = "digits odd/even" if classes is None else f"digits {classes[0]}/{classes[1]}"
    return logistic(design(A[kept]), torch.as_tensor(2.0 * labels[kept] - 1), l2, name=name)


def breast_cancer(l2: float = 0.0) -> FiniteSum:
    """Logistic regression on the breast cancer data, n = 569, d = 31."""
    from sklearn.datasets import load_breast_cancer  # not every use of the package needs it

    A, y = load_breast_cancer(return_X_y=True)
    return logistic(design(A), torch.as_tensor(2.0 * y - 1), l2, name="breast cancer")


def diabetes() -> FiniteSum:
    """Least squares on the diabetes data, n = 442, d = 11."""
    from sklearn.datasets import load_diabetes  # not every use of the package needs it

    A, y = load_diabetes(return_X_y=True)
    return least_squares(design(A), torch.as_tensor(y / np.sqrt(np.mean(y**2))), name="diabetes")


def from_file(path: str | Path, header: bool | None = None) -> FiniteSum:
    """The problem of a user's table: logistic regression with l2 = 0.01 where the target has exactly two values, otherwise
    least squares with the target scaled to mean square 1. header as in `load_table`.

    Raises DataError, with one line, for whatever is no table, and for tables without a problem in them: fewer than two
    rows, features or a target that do not vary, or a start (at 0) that is the minimizer up to rounding.
    """
    A, y = load_table(path, header)
    if len(y) < 2:
        raise DataError(f"{path}: holds one row; accepted are two or more")
    values = np.unique(y)
    if len(values) == 1:
        raise DataError(f"{path}: the target is {values[0]:g} in every row; accepted are targets that vary")
    rows, name = design(A), Path(path).name
    if rows.shape[1] == 1:
        raise DataError(f"{path}: no feature varies over the rows; accepted are tables with one that does, or more")
    if len(values) == 2:
        problem = logistic(rows, two_classes(y, str(path)), 0.01, name=name)
    else:
        y = y / np.abs(y).max()  # or squares overflow
        problem = least_squares(rows, torch.as_tensor(y / np.sqrt(np.mean(y**2))), name=name)
    slope = float(problem.grad(problem.start).norm())
    # `not >` also refuses nan; of a row the mean square norm is its length
    if not (slope > 1e-12 * rows.shape[1] ** 0.5 and problem.radius > 0):
        raise DataError(
            f"{path}: no feature is correlated with the target and its mean is 0, so that the start 0 is the minimizer; "
            "accepted are tables from which something can be learned"
        )
    least = slope**2 / (2 * problem.constants.smoothness)  # Delta is no less
    if not least > 1e3 * problem.floor:
        raise DataError(
            f"{path}: ||grad f||^2/(2L) = {least:.2g} at the start drowns in rounding errors of {problem.floor:.2g}; "
            "accepted are features that are exactly linearly dependent or clearly not"
        )
    return problem


def design(A: np.ndarray) -> Tensor:
    """Standardized columns, those without variation dropped, then a column of ones: (n, d) -> (n, d' + 1)."""
    A = np.asarray(A, dtype=np.float64)
    A = A / np.maximum(np.abs(A).max(0), np.finfo(np.float64).tiny)  # or squares overflow
    spread = A.std(0)
    varies = spread > 1e-12
    return torch.as_tensor(np.column_stack([(A[:, varies] - A[:, varies].mean(0)) / spread[varies], np.ones(len(A))]))


def two_classes(y: np.ndarray, source: str = "the data") -> Tensor:
    """Targets with exactly two values as labels: -1 for the smaller, 1 for the larger. Raises DataError for others."""
    values = np.unique(y)
    if len(values) != 2:
        shown = ", ".join(f"{v:g}" for v in values[:5]) + (", ..." if len(values) > 5 else "")
        raise DataError(f"{source}: classification needs exactly two classes, the target has {len(values)} ({shown})")
    return torch.as_tensor(np.where(y == values[1], 1.0, -1.0))


def load_table(path: str | Path, header: bool | None = None) -> tuple[np.ndarray, np.ndarray]:
    """(A, y) of shapes (n, d) and (n,) from a CSV or LIBSVM file, told apart by a comma in the first line.

    header: whether the first line of a CSV file names the columns; None: it does if none of its cells is a number. Raises
    DataError, with one line that names the place, for whatever is not such a table, and where None cannot decide: the first
    line counts, as 0, 1, 2 does which pandas writes above columns without names.
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DataError(f"{path}: no such file; {FORMATS}") from None
    except IsADirectoryError:
        raise DataError(f"{path}: is a directory; {FORMATS}") from None
    except UnicodeDecodeError:
        raise DataError(f"{path}: not a text file; {FORMATS}") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror}); {FORMATS}") from None
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.split("#")[0].strip()]
    if not lines:
        raise DataError(f"{path}: holds no data; {FORMATS}")
    is_csv = Path(path).suffix.lower() == ".csv" or "," in lines[0][1].split("#")[0]
    return _csv(path, lines, header) if is_csv else _libsvm(path, lines)


def _csv(path: str | Path, lines: list[tuple[int, str]], header: bool | None) -> tuple[np.ndarray, np.ndarray]:
    rows = [(number, _cells(path, number, line)) for number, line in lines]
    if header is None and _counts(rows[0][1]):
        raise DataError(
            f"{path}, line {rows[0][0]}: {','.join(rows[0][1])[:40]!r} may number the columns or be data; accepted are "
            "header=True or False, or names of the columns, in its place or above it"
        )
    if header or (header is None and not any(_is_number(cell) for cell in rows[0][1])):
        rows = rows[1:]
    if not rows:
        raise DataError(f"{path}: holds a header and no data; {FORMATS}")
    width = len(rows[0][1])
    if width < 2:
        raise DataError(f"{path}, line {rows[0][0]}: one column; accepted are two or more, separated by commas")
    table = np.empty((len(rows), width))
    for row, (number, cells) in zip(table, rows, strict=True):
        if len(cells) != width:
            raise DataError(f"{path}, line {number}: {len(cells)} columns where the lines before have {width}")
        row[:] = [_number(path, number, cell) for cell in cells]
    return table[:, :-1], table[:, -1]


def _counts(cells: list[str]) -> bool:
    """Whether these are k, k + 1, ..., two or more."""
    cells = [cell.strip() for cell in cells]
    if len(cells) < 2 or not all(cell.isascii() and cell.isdigit() and len(cell) <= DIGITS for cell in cells):
        return False
    return cells == [str(int(cells[0]) + j) for j in range(len(cells))]


def _cells(path: str | Path, number: int, line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except csv.Error as error:
        raise DataError(f"{path}, line {number}: {error}; {FORMATS}") from None


def _libsvm(path: str | Path, lines: list[tuple[int, str]]) -> tuple[np.ndarray, np.ndarray]:
    y, entries = np.empty(len(lines)), []
    for i, (number, line) in enumerate(lines):
        target, *pairs = re.sub(r":\s+", ":", line.split("#")[0]).split()  # the file protein of LIBSVM has 63: .50
        y[i], seen = _number(path, number, target), set()
        for pair in pairs:
            index, colon, value = pair.partition(":")
            if not colon or not (index.isascii() and index.isdigit()) or not index.strip("0"):
                raise DataError(f"{path}, line {number}: {pair[:40]!r} is no index:value pair; {FORMATS}")
            if len(index) > DIGITS:
                raise DataError(f"{path}, line {number}: an index of {len(index)} digits; accepted are up to {DIGITS}")
            if int(index) in seen:
                raise DataError(f"{path}, line {number}: index {index} occurs twice; accepted is each index once")
            seen.add(int(index))
            entries.append((i, int(index) - 1, _number(path, number, value)))
    d = 1 + max((column for _, column, _ in entries), default=-1)
    if d == 0:
        raise DataError(f"{path}: no features, only targets; {FORMATS}")
    if len(y) * d > LARGEST:
        raise DataError(f"{path}: {len(y)} rows of {d} features; accepted are tables of up to {LARGEST:.0e} numbers")
    A = np.zeros((len(y), d))
    for i, column, value in entries:
        A[i, column] = value
    return A, y


def _is_number(cell: str) -> bool:
    if not cell.isascii() or "_" in cell:  # which float() takes
        return False
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _number(path: str | Path, line: int, cell: str) -> float:
    if not _is_number(cell):
        raise DataError(f"{path}, line {line}: {cell.strip()[:40]!r} is not a number; {FORMATS}")
    if not math.isfinite(float(cell)):
        raise DataError(f"{path}, line {line}: {cell.strip()[:40]!r}; accepted are finite numbers")
    return float(cell)
