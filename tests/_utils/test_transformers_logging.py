"""transformers keeps quiet while it loads models."""

import pytest

from faast._utils.transformers_logging import quiet_transformers, silence_transformers

logging = pytest.importorskip("transformers.utils.logging")


@pytest.fixture(autouse=True)
def usual_settings():
    logging.enable_progress_bar()
    logging.set_verbosity_warning()
    yield
    logging.enable_progress_bar()
    logging.set_verbosity_warning()


def settings():
    return logging.is_progress_bar_enabled(), logging.get_verbosity()


def test_settings_are_restored_after_the_block_and_after_an_error():
    with quiet_transformers("text"):
        assert settings() == (False, logging.ERROR)
    assert settings() == (True, logging.WARNING)
    with pytest.raises(OSError, match="no such model"), quiet_transformers("text"):
        raise OSError("no such model")
    assert settings() == (True, logging.WARNING)


def test_blocks_inside_a_silenced_process_leave_it_silent():
    silence_transformers("lm")
    with quiet_transformers("text"):
        pass
    assert settings() == (False, logging.ERROR)
