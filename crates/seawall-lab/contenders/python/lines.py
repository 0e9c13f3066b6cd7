"""The lab's line protocol (docs/contenders.md), whatever the client is."""

import sys
import time
from typing import NamedTuple
from urllib.parse import quote, unquote_to_bytes

# Printable ASCII that separates nothing.
SAFE = "".join(chr(c) for c in range(0x21, 0x7F) if chr(c) not in "%|,[]")
TEXT_BYTES_MAX = 256


def encode(value):
    return quote(value, safe=SAFE)


def fnv64(value):
    digest = 0xCBF29CE484222325
    for byte in value:
        digest = ((digest ^ byte) * 0x100000001B3) & 0xFFFFFFFFFFFFFFFF
    return digest


def fnv64_of(value, known={}):
    """The lab reads the same few long values again and again, and hashing in Python is slow."""
    if value not in known:
        if len(known) > 1024:
            known.clear()
        known[value] = fnv64(value)
    return known[value]


def show(reply):
    """The written form of a reply. Most clients turn OK into True, or into text, before we see it."""
    if reply is None:
        return "nil"
    if reply is True or reply == "OK":
        return "simple:OK"
    if isinstance(reply, (bool, int)):
        return f"int:{int(reply)}"
    if isinstance(reply, bytes):
        if len(reply) <= TEXT_BYTES_MAX:
            return "str:" + encode(reply)
        return f"blob:{len(reply)}:{fnv64_of(reply):016x}"
    if isinstance(reply, (list, tuple)):
        return f"arr:{len(reply)}:[{','.join(map(show, reply))}]"
    if isinstance(reply, dict):
        return show([part for pair in reply.items() for part in pair])
    if isinstance(reply, Exception):
        return "err:" + encode(str(reply))
    return "str:" + encode(str(reply))


class Call(NamedTuple):
    """A call that the lab asks for. Commands have their names as text, and their arguments as bytes."""

    number: str
    ends: float
    kind: str
    commands: list

    @property
    def is_transaction(self):
        return self.kind == "tx"

    def left(self):
        """Seconds until its deadline."""
        return max(0.001, self.ends - time.monotonic())


def call_of(line):
    fields = line.split(" ")
    ends = time.monotonic() + int(fields[2]) / 1000
    commands = [[]]
    for field in fields[4:]:
        # A lone bar separates; one inside an argument comes as %7C.
        if field == "|":
            commands.append([])
        elif commands[-1]:
            commands[-1].append(unquote_to_bytes(field))
        else:
            commands[-1].append(unquote_to_bytes(field).decode())
    return Call(fields[1], ends, fields[3], commands)


def channels_of(fields):
    return [unquote_to_bytes(field) for field in fields[1:]]


class Failure(NamedTuple):
    """What is known of a call without a reply."""

    error: object
    sent: str = "perhaps"
    cause: str = "-"
    refused: str = "no"
    attempts: int = 1


class PartFailed(Exception):
    """A pipeline or transaction that was answered, and in which the server refused commands for its own state."""

    def __init__(self, failures, ran):
        super().__init__(str(failures[0].error))
        self.failure = failures[0]._replace(sent="perhaps" if ran else "no")


def whole(replies, failure_of):
    """The replies, unless something other than a fault of a command itself failed one of them: that fails the whole, of
    which the rest may have run.
    """
    failures = [failure_of(reply) for reply in replies or () if isinstance(reply, Exception)]
    of_state = [failure for failure in failures if failure.cause != "command-error"]
    if not of_state:
        return replies
    unsent = sum(failure.sent == "no" for failure in failures)
    raise PartFailed(of_state, ran=unsent < len(replies))


def ok(number, reply):
    return f"ok {number} {show(reply)}\n"


def failure_of(client, error):
    return error.failure if isinstance(error, PartFailed) else client.failure(error)


def fail(number, failure):
    error = failure.error
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return (
        f"fail {number} sent={failure.sent} cause={failure.cause} refused={failure.refused} "
        f"attempts={failure.attempts} msg={encode(text)}\n"
    )


def message(number, channel, data):
    channel, data = (text.encode() if isinstance(text, str) else text for text in (channel, data))
    return f"message {number} {encode(channel)} {len(data)} {encode(data[:64])}\n"


def gap(number, cause="-"):
    return f"gap {number} cause={cause}\n"


def say(line):
    sys.stdout.write(line)
    sys.stdout.flush()


# What clients' own words say plainly; a client is not to be judged by words that it did not say.
SAID = [
    ("Connection refused", "connection-refused"),
    ("Connection reset by peer", "connection-reset"),
    ("Broken pipe", "connection-reset"),
    ("Timeout connecting", "connect-timeout"),
    ("Timeout reading", "reply-timeout"),
    ("Connection closed by server", "closed-by-server"),
    ("max number of clients", "max-clients"),
    ("MISCONF", "save-failed"),
    ("READONLY", "read-only"),
    ("LOADING", "loading"),
    ("WRONGPASS", "auth-failed"),
    ("invalid username-password", "auth-failed"),
    ("NOREPLICAS", "no-replicas"),
    ("Name or service not known", "name-unknown"),
    ("Temporary failure in name resolution", "name-service"),
]


def cause_said(error):
    text = str(error)
    return next((cause for words, cause in SAID if words in text), None)
