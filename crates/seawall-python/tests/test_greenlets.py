"""gevent and eventlet: a greenlet that waits for Redis holds up no other one."""

from __future__ import annotations

import pathlib
import subprocess
import sys

import pytest

HERE = pathlib.Path(__file__).parent
#: For the greenlets' own end; a guard against hanging.
GUARD = 120


def play(library: str, scene: str, line: str = "plain") -> None:
    pytest.importorskip(library)
    run = subprocess.run(
        [sys.executable, "-W", "ignore", HERE / "greenlet_world.py", library, scene, line],
        capture_output=True,
        text=True,
        timeout=GUARD,
    )
    if run.stdout == "the server was built without TLS\n":
        pytest.skip(run.stdout)
    assert run.returncode == 0 and run.stdout.endswith("well\n"), run.stdout[-3000:] + run.stderr[-6000:]


@pytest.mark.parametrize(
    "scene",
    [
        "a_blocking_command_holds_up_nobody",
        "a_slow_server_holds_up_no_greenlet",
        "a_reply_that_came_while_another_held_the_hub_up_is_read",
        "a_timeout_at_any_point_leaves_each_reply_to_its_own_greenlet",
        "a_killed_greenlet_takes_nobodys_reply_along",
        "a_full_pool_is_waited_for_without_holding_up_the_others",
        "a_killed_server_is_survived_and_nothing_is_counted_twice",
        "a_frozen_server_holds_up_no_greenlet_beyond_its_deadline",
        "messages_are_heard_while_the_others_go_on",
        "locks_and_transactions_hold_between_greenlets",
        "large_values_are_written_and_read_in_turns",
        "threads_with_and_without_hubs",
        "the_hub_itself_may_call",
        "a_fork_with_calls_under_way_leaves_the_parent_its_replies",
        "late_a_program_that_waits_for_its_greenlets_ends",
        "a_process_ends_with_calls_under_way",
        "a_signal_ends_a_call_and_its_connection",
        "late_patching_is_seen",
    ],
)
def test_under_gevent(scene: str) -> None:
    play("gevent", scene)


@pytest.mark.parametrize(
    "scene",
    [
        "a_blocking_command_holds_up_nobody",
        "a_reply_that_came_while_another_held_the_hub_up_is_read",
        "a_timeout_at_any_point_leaves_each_reply_to_its_own_greenlet",
        "a_full_pool_is_waited_for_without_holding_up_the_others",
        "a_killed_server_is_survived_and_nothing_is_counted_twice",
        "messages_are_heard_while_the_others_go_on",
        "threads_with_and_without_hubs",
    ],
)
def test_under_eventlet(scene: str) -> None:
    play("eventlet", scene)


@pytest.mark.parametrize("library", ["gevent", "eventlet"])
@pytest.mark.parametrize(
    "scene",
    [
        "a_blocking_command_holds_up_nobody",
        "a_timeout_at_any_point_leaves_each_reply_to_its_own_greenlet",
        "a_killed_server_is_survived_and_nothing_is_counted_twice",
        "a_frozen_server_holds_up_no_greenlet_beyond_its_deadline",
        "messages_are_heard_while_the_others_go_on",
        "large_values_are_written_and_read_in_turns",
    ],
)
def test_behind_tls(library: str, scene: str) -> None:
    play(library, scene, "tls")
