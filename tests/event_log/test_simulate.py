"""Logs on disk: the rows of a log in memory, the same bytes however often a run is cut, none half-written."""

import dataclasses
import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from recsim_env.event_log import BLOCK_USERS, EventLog, LogFolder, collect_log, simulate
from tests.event_log.tilted import Tilted
from tests.small_worlds import NUM_ITEMS, small_world

ROOT = Path(__file__).parents[2]
MAX_STEPS = 6
USERS = 2 * BLOCK_USERS + 700


@pytest.fixture(scope="module")
def world():
    return small_world(4)


def write(world, out, policy=None, users=USERS, **options):
    options = {"seed": 3, "max_steps": MAX_STEPS, "partition_users": BLOCK_USERS, **options}
    return simulate(world, policy or Tilted(), users, out, **options)


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


@pytest.fixture(scope="module")
def uncut(world, tmp_path_factory):
    """The folder of an uninterrupted run."""
    return write(world, tmp_path_factory.mktemp("uncut") / "log")


def assert_same_rows(one, other):
    assert list(one.columns) == list(other.columns)
    for name, column in one.columns.items():
        np.testing.assert_array_equal(column, other.columns[name], err_msg=name)


def test_the_rows_are_those_of_a_log_in_memory(world, uncut):
    in_memory = collect_log(world, Tilted(), 20_000, seed=3, max_steps=MAX_STEPS)
    log = EventLog.load(uncut.path)
    assert log.num_users == USERS
    assert len(log) == uncut.num_rows
    whole_blocks = in_memory.user_id < 2 * BLOCK_USERS
    assert_same_rows(
        log.with_columns(item_propensity=None).select(slice(0, whole_blocks.sum())),
        in_memory.select(whole_blocks),
    )


def test_provenance_travels_inside_every_file(world, uncut):
    log = EventLog.load(uncut.path / uncut.partitions[1].file)
    assert log.policy == "tilted"
    assert log.provenance["config"] == world.config.to_json()
    assert log.provenance["seed"] == 3
    assert log.provenance["policy"] == {"name": "tilted"}
    assert log.user_id[0] == BLOCK_USERS


def test_rows_do_not_depend_on_the_partitions(world, uncut, tmp_path):
    wide = write(world, tmp_path / "wide", partition_users=2 * BLOCK_USERS)
    assert [entry.num_users for entry in wide.partitions] == [2 * BLOCK_USERS, 700]
    assert_same_rows(wide.load(), uncut.load())


def test_propensities_of_items_multiply_to_that_of_the_slate(uncut):
    log = uncut.load()
    np.testing.assert_allclose(log.item_propensity.prod(axis=1), log.propensity, rtol=1e-12)
    np.testing.assert_allclose(log.item_propensity[:, 0], Tilted().prob[log.action[:, 0]], rtol=1e-12)


def test_probabilities_of_every_item(tmp_path):
    policy = Tilted(slate_size=1)
    log = write(small_world(1), tmp_path / "log", policy, users=300, probabilities=True).load()
    assert log.item_prob.shape == (len(log), NUM_ITEMS)
    np.testing.assert_allclose(log.item_prob.sum(axis=1), 1, rtol=1e-5)
    logged = np.take_along_axis(log.item_prob, log.action, axis=1)[:, 0]
    np.testing.assert_allclose(logged, log.propensity, rtol=1e-6)
    assert "item_propensity" not in log.columns, "for single items that is the propensity itself"


def test_a_run_that_fails_anywhere_is_finished_with_the_same_bytes(world, uncut, tmp_path):
    for cut_after in (0, 1, 2, 1):
        reported = []

        def stop(done, reported=reported, cut_after=cut_after):
            if len(reported) == cut_after:
                raise KeyboardInterrupt
            reported.append(done)

        with pytest.raises(KeyboardInterrupt):
            write(world, tmp_path / "log", progress=stop)
        assert not list((tmp_path / "log").glob(".*")), "no temporary file stays behind"
    reported = []
    folder = write(world, tmp_path / "log", progress=reported.append)
    assert contents(folder.path) == contents(uncut.path)
    assert reported[0].reused == reported[0].users > 0
    assert reported[-1].users == USERS
    assert reported[-1].rows == folder.num_rows


def test_what_a_killed_run_leaves_is_cleared_away(world, uncut, tmp_path):
    """Half a line of the manifest, a file that the manifest does not have yet, a temporary file."""
    out = tmp_path / "log"
    write(world, out)
    manifest = out / "manifest.jsonl"
    manifest.write_bytes(manifest.read_bytes()[:-30])
    (out / ".part-000002.parquet.123.partial").write_bytes(b"half")
    assert not LogFolder.open(out).is_complete
    with pytest.raises(ValueError, match=f"holds {2 * BLOCK_USERS} of {USERS} users"):
        EventLog.load(out)
    write(world, out)
    assert contents(out) == contents(uncut.path)


def test_a_file_that_was_removed_is_made_again(world, uncut, tmp_path):
    write(world, tmp_path / "log")
    (tmp_path / "log" / "part-000001.parquet").unlink()
    with pytest.raises(ValueError, match=r"part-000001\.parquet cannot be read"):
        LogFolder.open(tmp_path / "log").verify()
    write(world, tmp_path / "log")
    assert contents(tmp_path / "log") == contents(uncut.path)


@pytest.mark.parametrize("fault", ["cut", "flipped"])
def test_a_damaged_file_is_named_and_refused(world, tmp_path, fault):
    folder = write(world, tmp_path / "log")
    path = folder.path / "part-000001.parquet"
    content = bytearray(path.read_bytes())
    if fault == "cut":
        del content[-1:]
    else:
        content[len(content) // 2] ^= 4
    path.write_bytes(content)
    for use in (folder.load, folder.verify, lambda: write(world, tmp_path / "log")):
        with pytest.raises(ValueError, match=r"part-000001\.parquet is damaged"):
            use()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": 4}, "settings.seed: 3 there, 4 here"),
        ({"users": 700}, f"num_users: {USERS} there, 700 here"),
        ({"max_steps": 5}, "settings.max_steps: 6 there, 5 here"),
        ({"policy_origin": {"tilt": 1}}, "settings.policy.tilt: null there, 1 here"),
        ({"partition_users": 2 * BLOCK_USERS}, "partition_users"),
    ],
    ids=["seed", "users", "steps", "policy", "partition"],
)
def test_a_folder_of_another_log_is_refused(world, uncut, change, message):
    before = contents(uncut.path)
    with pytest.raises(ValueError, match=message):
        write(world, uncut.path, **change)
    other = dataclasses.replace(world.config.choice, no_click_utility=2.0)
    with pytest.raises(
        ValueError, match=r"settings\.config\.choice\.no_click_utility: 1\.0 there, 2\.0 here"
    ):
        write(type(world)(dataclasses.replace(world.config, choice=other)), uncut.path)
    assert contents(uncut.path) == before


def test_a_folder_of_something_else_is_refused(world, tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"")
    with pytest.raises(ValueError, match=r"holds a\.parquet but no manifest\.jsonl"):
        write(world, tmp_path)
    with pytest.raises(FileNotFoundError, match="holds no event log"):
        LogFolder.open(tmp_path)
    (tmp_path / "manifest.jsonl").write_text('{"format": 1}\n')
    with pytest.raises(ValueError, match="is damaged"):
        LogFolder.open(tmp_path)


def test_a_full_disk_leaves_no_half_written_partition(world, uncut, tmp_path):
    """A limit on the size of files stands for the disk: writing beyond it fails as on a full one."""
    out = tmp_path / "log"
    write_first = uncut.path / "part-000000.parquet"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (write_first.stat().st_size // 2, hard))
    try:
        with pytest.raises(OSError, match="File too large"):
            write(world, out)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in out.iterdir()] == ["manifest.jsonl"]
    assert not LogFolder.open(out).partitions
    write(world, out)
    assert contents(out) == contents(uncut.path)


def test_one_process_at_a_time_writes_to_a_folder(world, tmp_path):
    """A second one would take the first one's temporary files for left-overs."""
    refused = []

    def try_again(done):
        with pytest.raises(ValueError, match="another process is writing to"):
            write(world, tmp_path / "log", users=700)
        refused.append(done)

    write(world, tmp_path / "log", users=700, progress=try_again)
    assert refused
    assert write(world, tmp_path / "log", users=700).is_complete, "the lock is gone"


def test_mistakes_are_named(world, tmp_path):
    with pytest.raises(ValueError, match=r"partition_users: expected a multiple of 4096, got 10"):
        write(world, tmp_path / "log", partition_users=10)
    with pytest.raises(ValueError, match=r"num_users: expected an integer in \[1, "):
        write(world, tmp_path / "log", users=0)

    class Silent(Tilted):
        item_prob = property()

    with pytest.raises(ValueError, match="'tilted' does not state the probability of every item"):
        write(world, tmp_path / "log", Silent(), probabilities=True)
    assert not (tmp_path / "log").exists()


CHILD = """
import sys
from tests.event_log.test_simulate import Tilted, write
from tests.small_worlds import small_world
world = small_world(4)
write(world, sys.argv[1] + ".warm", users=10)
print("ready", flush=True)
write(world, sys.argv[1], users=40_000)
"""


def partitions_on_disk(out):
    manifest = out / "manifest.jsonl"
    return len(LogFolder.open(out).partitions) if manifest.is_file() else 0


def killed_after(partitions, out, seconds):
    """Whether the child was killed, that long after that many partitions were written, before its end."""
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, out], cwd=ROOT, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert child.stdout is not None
    assert child.stdout.readline() == "ready\n"
    while child.poll() is None and partitions_on_disk(out) < partitions:
        time.sleep(0.005)
    time.sleep(seconds)
    child.send_signal(signal.SIGKILL)
    code = child.wait()
    child.stdout.close()
    assert code in (0, -signal.SIGKILL), "it ended or was killed, but did not fail"
    return code == -signal.SIGKILL


@pytest.mark.slow
def test_fifty_kills_at_random_moments_then_the_same_bytes(world, tmp_path):
    """Moments are drawn in partitions written, not in seconds: how busy the machine is changes nothing."""
    write(world, tmp_path / "warm", users=10)
    began = time.perf_counter()
    uncut = write(world, tmp_path / "uncut", users=40_000)
    one_partition = (time.perf_counter() - began) / len(uncut.partitions)
    expected = contents(uncut.path)
    draw, kills, seen = random.Random(0), 0, set()
    while kills < 50:
        out = tmp_path / f"log{kills}"
        for target in sorted(draw.choices(range(len(uncut.partitions)), k=5)):
            kills += killed_after(target, out, draw.uniform(0, one_partition))
            seen.add(partitions_on_disk(out))
            if (out / "manifest.jsonl").is_file():
                LogFolder.open(out).verify()
        write(world, out, users=40_000)
        assert contents(out) == expected
    assert len(seen) > 5, "the moments were spread over the run"
