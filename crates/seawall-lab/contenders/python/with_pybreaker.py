"""redis-py as its documentation recommends it, each call through a breaker of pybreaker's."""

import pybreaker
import with_redis
from lines import Failure
from redis.exceptions import ResponseError


class Client(with_redis.Recommended):
    # pybreaker has nothing to say about subscriptions.
    ABILITIES = ""

    def __init__(self, settings):
        super().__init__(settings)
        # Its default is a minute without an answer after five failures; a second is as short as people make it.
        self.breaker = pybreaker.CircuitBreaker(fail_max=5, reset_timeout=1, exclude=[ResponseError])

    def run(self, call):
        return self.breaker.call(super().run, call)

    def failure(self, error):
        if isinstance(error, pybreaker.CircuitBreakerError):
            # Raised by the call that opened it, too: that one was sent.
            sent = "no" if error.__cause__ is None and error.__context__ is None else "perhaps"
            return Failure(error, sent=sent, refused="yes" if sent == "no" else "no", attempts=int(sent != "no"))
        return super().failure(error)
