"""Load on the catalogue. The build fails when it is slower, or fails more often, than this."""

import gevent
from locust import FastHttpUser, between, events, task

SLOWEST_MS = 5000  # 95 of 100 requests are faster
FAILURES = 0.01
FEWEST = 20  # requests: fewer say nothing


class Visitor(FastHttpUser):
    wait_time = between(0.05, 0.2)

    @task(3)
    def browse(self):
        self.client.get("/films?genre=comedy", name="/films")

    @task
    def look(self):
        self.client.get("/films/7", name="/films/N")


@events.init.add_listener
def look_at_the_clock(**_):
    """Timers count from when the loop looked last: on a slow machine before all the imports, and
    --run-time would be over at once."""
    gevent.get_hub().loop.update_now()


@events.quitting.add_listener
def judge(environment, **_):
    total = environment.stats.total
    slow = total.get_response_time_percentile(0.95) or 0
    print(f"{total.num_requests} requests, {total.fail_ratio:.1%} failed, 95 of 100 in {slow} ms")
    good = total.num_requests >= FEWEST and total.fail_ratio <= FAILURES and slow <= SLOWEST_MS
    environment.process_exit_code = 0 if good else 1
