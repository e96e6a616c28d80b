"""Programs of the documentation may change how many threads PyTorch has."""

import pytest
import torch


@pytest.fixture(autouse=True)
def threads_as_before():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)
