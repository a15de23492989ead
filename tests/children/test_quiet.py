"""Keras comes without a word on stderr, and errors are still heard."""

import os
import subprocess
import sys

import pytest

from nahas.children.quiet import quiet_stderr


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**{k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}, **environment},
    )


def test_keras_is_imported_and_computes_without_a_word():
    done = run(
        "from nahas.children.quiet import import_keras\n"
        "keras = import_keras()\n"
        "assert import_keras() is keras\n"
        "print(float(keras.ops.sum(keras.ops.ones(3))), keras.backend.backend())"
    )
    assert done.stdout.split() == ["3.0", "tensorflow"]
    assert done.stderr == ""


def test_a_process_without_stderr_is_served():
    done = run(
        "import os; os.close(2)\n"
        "from nahas.children.quiet import quiet_stderr\n"
        "with quiet_stderr(): print('served')"
    )
    assert done.stdout == "served\n"


def test_descriptor_two_is_back_after_an_error(capfd):
    def fail():
        os.write(2, b"lost\n")
        raise ImportError("heard")

    with pytest.raises(ImportError, match="heard"), quiet_stderr():
        fail()
    os.write(2, b"back\n")
    assert capfd.readouterr().err == "back\n"


@pytest.mark.parametrize("package", ["keras", "tensorflow"])
def test_without_the_packages_one_sentence_says_what_to_install(package):
    done = run(
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"
        "from nahas.children.quiet import import_keras\n"
        "from nahas.errors import UsageError\n"
        "try: import_keras()\n"
        "except UsageError as error: print(error)"
    )
    assert done.returncode == 0, done.stderr
    assert "pip install tensorflow keras" in done.stdout


def test_without_the_backend_that_is_asked_for_it_says_which():
    done = run(
        "import os, sys\n"
        "os.environ['KERAS_BACKEND'] = 'torch'\n"
        "sys.modules['torch'] = None\n"
        "from nahas.children.operations import operations\n"
        "from nahas.errors import UsageError\n"
        "try: operations()\n"
        "except UsageError as error: print(error)"
    )
    assert done.returncode == 0, done.stderr
    assert "needs Keras on torch, but 'torch' is not installed: pip install torch" in done.stdout
