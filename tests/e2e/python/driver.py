"""Runs named cases that come in on standard input, one a line, and answers each with a JSON line.

One process serves all cases of a file, since importing an SDK takes longer than any case.
"""

import json
import sys
import traceback
import warnings

TEXT = "Grüße 🌍"


def serve(cases):
    """`cases` maps a name to a function of the model's name. A warning fails its case."""
    for line in sys.stdin:
        name, model = line.split()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                cases[name](model)
            result = {"ok": True}
        except Exception:
            result = {"ok": False, "error": traceback.format_exc()}
        print(json.dumps(result), flush=True)


def collect_cases(namespace):
    """Every function `case_x` of a module, as `x`."""
    return {
        name[len("case_"):]: value
        for name, value in namespace.items()
        if name.startswith("case_")
    }


def must_raise(what, kinds, words):
    """Runs `what`, which must raise one of `kinds` with `words` in it."""
    try:
        what()
    except kinds as error:
        assert words in str(error), str(error)
    else:
        raise AssertionError("no error was raised")
