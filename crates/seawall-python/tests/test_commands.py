"""What users of redis-py do, through seawall.Redis."""

import array
import socket
import threading

import pytest
import redis

import seawall


@pytest.fixture
def client(url):
    with seawall.Redis.from_url(url) as client:
        yield client


def test_a_value_that_was_set_is_read_back(client):
    assert client.set("greeting", "hello") is True
    assert client.get("greeting") == b"hello"


def test_responses_are_decoded_where_that_was_asked_for(url):
    client = seawall.Redis.from_url(url, decode_responses=True)
    client.hset("h", mapping={"a": 1, "ü": 2.5})
    assert client.hgetall("h") == {"a": "1", "ü": "2.5"}


def test_another_encoding_is_honoured_both_ways(url):
    client = seawall.Redis.from_url(url, encoding="latin-1", decode_responses=True)
    client.set("k", "é")
    assert seawall.Redis.from_url(url).get("k") == b"\xe9"
    assert client.get("k") == "é"


@pytest.mark.parametrize(
    "value",
    [b"bytes", bytearray(b"array"), memoryview(b"view"), "text", 7, -(2**70), 1.5, memoryview(array.array("b", [1, 2]))],
    ids=repr,
)
def test_every_kind_of_argument_that_redis_py_takes_is_sent_as_redis_py_sends_it(client, url, value):
    client.set("ours", value)
    redis.Redis.from_url(url).set("theirs", value)
    assert client.get("ours") == client.get("theirs")


@pytest.mark.parametrize("value", [True, None, object(), ["list"]], ids=repr)
def test_what_redis_py_refuses_to_send_is_refused_with_its_error(client, value):
    with pytest.raises(redis.DataError, match="Invalid input of type"):
        client.set("k", value)


def test_an_error_about_the_command_is_redis_pys_own_word_for_word(client, url):
    client.set("text", "x")
    with pytest.raises(redis.ResponseError) as ours:
        client.lpush("text", "y")
    with pytest.raises(redis.ResponseError) as theirs:
        redis.Redis.from_url(url).lpush("text", "y")
    assert (type(ours.value), str(ours.value)) == (type(theirs.value), str(theirs.value))


def test_a_command_of_two_words_goes_apart(client):
    assert client.execute_command("CONFIG GET", "maxmemory")
    assert client.execute_command(b"CLIENT ID") > 0


def test_a_pipeline_and_a_transaction_answer_each_command(client):
    for transaction in (False, True):
        pipe = client.pipeline(transaction=transaction)
        pipe.set("n", 1).incr("n").lpush("n", "x").get("n")
        answers = pipe.execute(raise_on_error=False)
        assert answers[:2] == [True, 2] and answers[3] == b"2"
        assert isinstance(answers[2], redis.ResponseError)


def test_a_watched_key_that_changes_ends_the_transaction(client):
    client.set("balance", 10)
    with client.pipeline() as pipe:
        pipe.watch("balance")
        pipe.multi()
        pipe.decrby("balance", 3)
        client.set("balance", 5)
        with pytest.raises(redis.WatchError):
            pipe.execute()
    assert client.get("balance") == b"5"


def test_select_through_a_pool_changes_no_other_call(client):
    client.set("k", "in database 0")
    client.select(5)
    assert client.get("k") == b"in database 0"


def test_a_subscription_gets_what_is_published(client):
    with client.pubsub() as pubsub:
        pubsub.subscribe("news")
        assert pubsub.get_message(timeout=5)["type"] == "subscribe"
        client.publish("news", "hello")
        assert pubsub.get_message(timeout=5)["data"] == b"hello"
        assert pubsub.get_message(timeout=0.01) is None


def test_a_blocking_command_waits_its_own_time_and_answers_none(url):
    client = seawall.Redis.from_url(url, socket_timeout=0.2)
    assert client.blpop("nothing", timeout=1) is None


def test_a_lock_excludes_its_second_holder(client):
    with client.lock("door", timeout=5):
        assert not client.lock("door", timeout=5).acquire(blocking=False)
    assert client.lock("door", timeout=5).acquire(blocking=False)


def test_a_script_is_loaded_when_the_server_does_not_know_it(client):
    double = client.register_script("return ARGV[1] * 2")
    assert double(args=[21]) == 42


def test_url_and_constructor_reach_the_same_pool(shared_server, url):
    by_url = seawall.Redis.from_url(url)
    by_arguments = seawall.Redis(host="127.0.0.1", port=shared_server.port)
    by_url.ping()
    by_arguments.ping()
    assert by_url.connection_pool._link() is by_arguments.connection_pool._link()


def test_a_setting_of_ours_stands_in_the_url_or_among_the_arguments(url):
    assert seawall.Redis.from_url(url + "?ride_out=100ms&deadline=1s").ping()
    assert seawall.Redis.from_url(url, ride_out=0.1).ping()
    with pytest.raises(redis.DataError, match="ride_out"):
        seawall.Redis.from_url(url, ride_out="soon").ping()


def http_port():
    """A port on which something answers every line as an HTTP server does."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        while True:
            try:
                peer, _ = listener.accept()
            except OSError:
                return
            with peer:
                peer.settimeout(10)
                if peer.recv(4096):
                    peer.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    threading.Thread(target=serve, daemon=True).start()
    return listener


@pytest.mark.parametrize("how", ["a name without an address", "no TLS", "HTTP"])
def test_an_endpoint_that_cannot_be_used_is_a_connection_error_as_with_redis_py(how, shared_server):
    with http_port() as http:
        url, cause = {
            "a name without an address": ("redis://nobody.invalid:6379", "name-unknown"),
            "no TLS": (f"rediss://127.0.0.1:{shared_server.port}", "tls-handshake"),
            "HTTP": (f"redis://127.0.0.1:{http.getsockname()[1]}", "not-redis"),
        }[how]
        with pytest.raises(redis.ConnectionError) as caught:
            seawall.Redis.from_url(url, socket_timeout=5).ping()
        assert isinstance(caught.value, seawall.errors.SeawallError)
        assert caught.value.cause == cause and not caught.value.may_have_run
