"""A user's function: which one is meant, and what is said when it is not there."""

import pytest

from mcbridge.errors import UserError
from plugin.run.functions import load_function


def test_a_function_in_a_file_is_found(tmp_path):
    (tmp_path / "my_amplitude.py").write_text("def f(x):\n    return 2 * x[0]\n")
    assert load_function(f"{tmp_path}/my_amplitude.py:f")([3.0]) == 6.0


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("my_amplitude", "must have the form MODULE:FUNCTION"),
        ("absent_module_x:f", "no module 'absent_module_x'"),
        ("absent.py:f", "does not exist"),
        ("math:sqr", "has no function 'sqr'; did you mean 'sqrt'?"),
    ],
)
def test_a_function_that_is_not_there_is_told_in_one_sentence(target, words):
    with pytest.raises(UserError) as caught:
        load_function(target)
    assert words in str(caught.value)


def test_an_error_while_importing_is_handed_on(tmp_path):
    (tmp_path / "broken_amplitude.py").write_text("1 / 0\n")
    with pytest.raises(UserError, match="ZeroDivisionError"):
        load_function(f"{tmp_path}/broken_amplitude.py:f")
