import subprocess
import sys


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)


def test_the_core_does_not_load_torch():
    run("import faast, sys; assert 'torch' not in sys.modules")


def test_a_missing_package_says_what_to_install():
    code = """
import sys
sys.modules["transformers"] = None
try:
    import faast.lm
except ImportError as error:
    print(error)
"""
    assert 'pip install "faast[lm]"' in run(code).stdout
