"""Optional packages."""

import pytest

from faast._utils.imports import import_optional


def test_an_installed_module_is_returned():
    import json

    assert import_optional("json", "data") is json


def test_a_missing_package_is_named_with_the_extra_that_installs_it():
    with pytest.raises(ImportError) as caught:
        import_optional("no_such_package.inner", "plots")
    assert str(caught.value) == (
        'no_such_package is not installed; install it with: pip install "faast[plots]"'
    )


def test_a_missing_dependency_of_an_installed_package_is_not_blamed_on_the_package(
    tmp_path, monkeypatch
):
    (tmp_path / "installed_but_broken.py").write_text("import no_such_dependency\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_dependency"):
        import_optional("installed_but_broken", "plots")
