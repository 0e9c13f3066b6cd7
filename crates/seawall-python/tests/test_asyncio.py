"""What users of redis.asyncio do, through seawall.asyncio.Redis, on asyncio's own loop and on uvloop's."""

import asyncio

import pytest
import redis
import seawall
import seawall.asyncio


def connected(url, **options):
    return seawall.asyncio.Redis.from_url(url, **options)


def test_a_value_that_was_set_is_read_back(run, url):
    async def main():
        async with connected(url) as client:
            assert await client.set("greeting", "hello") is True
            assert await client.get("greeting") == b"hello"
            assert await client.get("nothing") is None

    run(main())


def test_many_tasks_get_their_own_replies_over_one_connection(run, url, shared_server):
    async def main():
        async with connected(url) as client:
            await asyncio.gather(*(client.set(f"k{n}", n) for n in range(300)))
            values = await asyncio.gather(*(client.get(f"k{n}") for n in range(300)))
            assert values == [str(n).encode() for n in range(300)]
            assert client.connection_pool.stats()["dialled"] == 1

    run(main())


def test_responses_are_decoded_where_that_was_asked_for(run, url):
    async def main():
        async with connected(url, decode_responses=True) as client:
            await client.hset("h", mapping={"a": 1, "ü": 2.5})
            assert await client.hgetall("h") == {"a": "1", "ü": "2.5"}
            pipe = client.pipeline()
            pipe.hget("h", "ü").set("k", "v").get("k")
            assert await pipe.execute() == ["2.5", True, "v"]

    run(main())


@pytest.mark.parametrize("value", [True, None, object(), ["list"]], ids=repr)
def test_what_redis_py_refuses_to_send_is_refused_with_its_error(run, url, value):
    async def main():
        async with connected(url) as client:
            with pytest.raises(redis.DataError, match="Invalid input of type"):
                await client.set("k", value)

    run(main())


def test_an_error_about_the_command_is_redis_pys_own(run, url):
    async def main():
        async with connected(url) as client:
            await client.set("text", "x")
            with pytest.raises(redis.ResponseError, match="WRONGTYPE"):
                await client.lpush("text", "y")

    run(main())


def test_a_pipeline_and_a_transaction_answer_each_command(run, url):
    async def main():
        async with connected(url) as client:
            for transaction in (False, True):
                async with client.pipeline(transaction=transaction) as pipe:
                    pipe.set("n", 1).incr("n").lpush("n", "x").get("n")
                    answers = await pipe.execute(raise_on_error=False)
                    assert answers[:2] == [True, 2] and answers[3] == b"2"
                    assert isinstance(answers[2], redis.ResponseError)

    run(main())


def test_a_watched_key_that_changes_ends_the_transaction(run, url):
    async def main():
        async with connected(url) as client:
            await client.set("balance", 10)
            async with client.pipeline() as pipe:
                await pipe.watch("balance")
                pipe.multi()
                pipe.decrby("balance", 3)
                await client.set("balance", 5)
                with pytest.raises(redis.WatchError):
                    await pipe.execute()
            assert await client.get("balance") == b"5"

            async def take(pipe):
                left = int(await pipe.get("balance"))
                pipe.multi()
                pipe.set("balance", left - 1)

            assert await client.transaction(take, "balance") == [True]
            assert await client.get("balance") == b"4"

    run(main())


def test_select_through_a_pool_changes_no_other_call(run, url):
    async def main():
        async with connected(url) as client:
            await client.set("k", "in database 0")
            await client.select(5)
            assert await client.get("k") == b"in database 0"

    run(main())


def test_a_client_with_one_connection_of_its_own_keeps_its_state(run, url):
    async def main():
        async with connected(url) as client, client.client() as alone:
            await client.set("k", "in database 0")
            await alone.select(5)
            assert await alone.get("k") is None
            assert await alone.client_id() == await alone.client_id()
            assert await client.get("k") == b"in database 0"

    run(main())


def test_a_subscription_gets_what_is_published(run, url):
    async def main():
        async with connected(url) as client, client.pubsub() as pubsub:
            await pubsub.subscribe("news")
            assert (await pubsub.get_message(timeout=5))["type"] == "subscribe"
            await client.publish("news", "hello")
            assert (await pubsub.get_message(timeout=5))["data"] == b"hello"
            assert await pubsub.get_message(timeout=0.01) is None

    run(main())


def test_a_task_may_subscribe_while_another_listens(run, url):
    async def main():
        async with connected(url) as client, client.pubsub() as pubsub:
            heard = asyncio.Queue()

            async def listen():
                async for message in pubsub.listen():
                    await heard.put((message["type"], message["data"]))

            await pubsub.subscribe("a")
            listener = asyncio.ensure_future(listen())
            assert await heard.get() == ("subscribe", 1)
            await pubsub.subscribe("b")
            assert await heard.get() == ("subscribe", 2)
            for n in range(20):
                await client.publish("ab"[n % 2], n)
                assert await heard.get() == ("message", str(n).encode())
            listener.cancel()
            with pytest.raises(asyncio.CancelledError):
                await listener

    run(main())


def test_a_listener_ends_at_once_when_its_subscription_is_closed_by_another_task(run, url):
    async def main():
        async with connected(url) as client:
            pubsub = client.pubsub()
            await pubsub.subscribe("a")
            await pubsub.get_message(timeout=5)
            waiting = asyncio.ensure_future(pubsub.get_message(timeout=None))
            await asyncio.sleep(0.05)
            await pubsub.aclose()
            with pytest.raises(redis.ConnectionError):
                await waiting
            assert await client.ping()

    run(main())


def test_a_blocking_command_waits_its_own_time_and_answers_none(run, url):
    async def main():
        async with connected(url, socket_timeout=0.2) as client:
            waiting = asyncio.ensure_future(client.blpop("nothing", timeout=1))
            assert await client.ping()
            assert await waiting is None

    run(main())


def test_a_blocking_command_holds_up_nobody_and_gets_its_item(run, url):
    async def main():
        async with connected(url) as client:
            waiting = [asyncio.ensure_future(client.blpop("queue", timeout=0)) for _ in range(5)]
            while await client.execute_command("INFO", "clients") and (await client.info("clients"))[
                "blocked_clients"
            ] < 5:
                await asyncio.sleep(0.01)
            await client.rpush("queue", *range(5))
            assert sorted(await asyncio.gather(*waiting)) == [(b"queue", str(n).encode()) for n in range(5)]

    run(main())


def test_a_lock_excludes_its_second_holder(run, url):
    async def main():
        async with connected(url) as client:
            async with client.lock("door", timeout=5):
                assert not await client.lock("door", timeout=5).acquire(blocking=False)
            assert await client.lock("door", timeout=5).acquire(blocking=False)

    run(main())


def test_a_script_is_loaded_when_the_server_does_not_know_it(run, url):
    async def main():
        async with connected(url) as client:
            double = client.register_script("return ARGV[1] * 2")
            assert await double(args=[21]) == 42
            await client.script_flush()
            assert await double(args=[4]) == 8

    run(main())


def test_a_monitor_sees_the_commands_of_others(run, url):
    async def main():
        async with connected(url) as client, client.monitor() as monitor:
            await client.set("seen", 1)
            # Connections that are made meanwhile are seen as well.
            while (await monitor.next_command())["command"] != "SET seen 1":
                pass

    run(main())


def test_scans_go_through_every_key(run, url):
    async def main():
        async with connected(url) as client:
            await client.mset({f"k{n}": n for n in range(100)})
            assert len({key async for key in client.scan_iter(match="k*", count=7)}) == 100

    run(main())


def test_url_and_constructor_share_one_connection(run, url, shared_server):
    async def main():
        by_url = connected(url)
        by_arguments = seawall.asyncio.Redis(host="127.0.0.1", port=shared_server.port)
        await by_url.ping()
        await by_arguments.ping()
        assert by_url.connection_pool._link() is by_arguments.connection_pool._link()
        await by_url.aclose()
        assert await by_arguments.ping()
        await by_arguments.aclose()

    run(main())


def test_a_closed_client_leaves_no_connection_open_and_can_be_used_again(run, url, shared_server):
    admin = shared_server.admin()

    def names():
        return [client["name"] for client in admin.client_list()]

    async def main():
        client = connected(url, client_name="leaves-nothing")
        await client.ping()
        await client.blpop("nothing", timeout=0.01)
        assert "leaves-nothing" in names()
        await client.aclose()
        while "leaves-nothing" in names():
            await asyncio.sleep(0.01)
        assert await client.ping()
        await client.aclose()

    run(main())


def test_a_setting_of_ours_stands_in_the_url_or_among_the_arguments(run, url):
    async def main():
        assert await connected(url + "?ride_out=100ms&deadline=1s").ping()
        assert await connected(url, ride_out=0.1).ping()
        with pytest.raises(redis.DataError, match="ride_out"):
            await connected(url, ride_out="soon").ping()

    run(main())


def test_what_a_response_callback_raises_reaches_its_caller_alone(run, url):
    async def main():
        async with connected(url) as client:

            def refuse(response, **options):
                raise ValueError("not like this")

            client.set_response_callback("ECHO", refuse)
            await client.set("mine", "mine")
            calls = [client.echo("x") if n % 2 else client.get("mine") for n in range(20)]
            answers = await asyncio.gather(*calls, return_exceptions=True)
            assert [answer for answer in answers[::2]] == [b"mine"] * 10
            assert all(isinstance(answer, ValueError) for answer in answers[1::2])
            pipe = client.pipeline(transaction=False)
            pipe.echo("x").get("mine")
            with pytest.raises(ValueError):
                await pipe.execute()
            assert await client.get("mine") == b"mine"

    run(main())


def test_a_response_callback_may_be_a_coroutine_function(run, url):
    async def main():
        async with connected(url) as client:

            async def shout(response, **options):
                await asyncio.sleep(0)
                return response.upper()

            client.set_response_callback("ECHO", shout)
            assert await client.echo("x") == b"X"

    run(main())


def test_the_address_at_the_other_end_is_known(run, url):
    async def main():
        async with connected(url) as client:
            connection = await client.connection_pool.get_connection()
            assert connection.getpeername() == "127.0.0.1"
            await client.connection_pool.release(connection)
            assert connection.getpeername() is None

    run(main())


def test_a_provider_that_only_tasks_can_ask_is_asked_for_credentials(run, make_server):
    server = make_server("--requirepass", "secret")

    class Provider(redis.CredentialProvider):
        asked = 0

        async def get_credentials_async(self):
            await asyncio.sleep(0)
            self.asked += 1
            return ("default", "secret")

    async def main():
        provider = Provider()
        async with connected(server.url, credential_provider=provider) as client:
            assert await client.set("k", 1)
            async with client.pipeline() as pipe:
                assert await pipe.get("k").execute() == [b"1"]
            assert provider.asked > 0

    run(main())


def test_pipelines_and_transactions_one_after_another_share_a_connection(run, url):
    async def main():
        async with connected(url) as client:
            for transaction in (True, False, True, True):
                async with client.pipeline(transaction=transaction) as pipe:
                    await pipe.incr("n").execute()
                async with client.pipeline() as pipe:
                    await pipe.watch("n")
                    pipe.multi()
                    await pipe.incr("n").execute()
            assert await client.get("n") == b"8"
            # One for all of them, and the shared one.
            assert client.connection_pool.stats()["dialled"] <= 2

    run(main())
