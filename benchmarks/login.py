"""Measure the CPU time of a sign-in: GET and POST /login beside the plain Flask reference, and the API's login."""

from collections.abc import Callable
from time import process_time

from benchmarks.browser import Browser
from benchmarks.figures import with_range
from benchmarks.instance import PASSWORD, Instance, temporary_instance
from benchmarks.servers import Server, bare_server, portal_server
from portal.domain.passwords.hashing import Hasher, new_salt

BLOCKS = 10
"""Servers alternate in blocks, so that a change in the machine's speed affects both."""
GETS = 150
POSTS = 30
_API = "/api/v1/customer/login"
_COLUMNS = "{:<12} {:<24} {:<24} {}"

Request = Callable[[Browser], object]


def run() -> None:
    """Measure and print."""
    print("Sign-in: CPU ms of the server for one request.")
    print(f"Medians of {BLOCKS} blocks (min-max) of {GETS} GET and {POSTS} POST on one kept-alive connection.")
    with temporary_instance() as instance:
        print(f"One Argon2id hash on this machine: {_hash_cost(instance):.1f} ms.")
        with portal_server(instance) as portal, bare_server(instance) as bare:
            servers = (portal, bare)
            for server in servers:  # warm-up
                _block(server, _get, GETS)
                _block(server, _post_of(instance), POSTS)
            _block(portal, _call_of(instance), POSTS)
            gets, posts, calls = _measure(servers, instance)
    print(_COLUMNS.format("", "portal", "plain Flask", "ratio"))
    for name, blocks in (("GET /login", gets), ("POST /login", posts)):
        ours, theirs = zip(*blocks, strict=True)
        ratios = [our / their for our, their in blocks]
        print(_COLUMNS.format(name, with_range(ours), with_range(theirs), with_range(ratios)))
    ratios = [(get[0] + post[0]) / (get[1] + post[1]) for get, post in zip(gets, posts, strict=True)]
    print(_COLUMNS.format("both", "", "", with_range(ratios)))
    ratios = [call / post[0] for call, post in zip(calls, posts, strict=True)]
    print(f"POST {_API}: {with_range(calls)}; ratio to the portal's POST /login: {with_range(ratios)}")


def _measure(
    servers: tuple[Server, Server], instance: Instance
) -> tuple[list[tuple[float, float]], list[tuple[float, float]], list[float]]:
    """Measure for each block the CPU ms of a GET and a POST on both servers, and of an API call on the portal."""
    gets, posts, calls = [], [], []
    for number in range(BLOCKS):
        order = servers if number % 2 else servers[::-1]
        get = {server: _block(server, _get, GETS) for server in order}
        post = {server: _block(server, _post_of(instance), POSTS) for server in order}
        gets.append((get[servers[0]], get[servers[1]]))
        posts.append((post[servers[0]], post[servers[1]]))
        calls.append(_block(servers[0], _call_of(instance), POSTS))
    return gets, posts, calls


def _block(server: Server, request: Request, times: int) -> float:
    """Return the average CPU ms of a request, sent `times` times."""
    browser = server.browser()
    browser.open("/login")
    before = server.cpu_seconds()
    for _ in range(times):
        request(browser)
    spent = server.cpu_seconds() - before
    browser.close()
    return spent / times * 1000


def _get(browser: Browser) -> object:
    return browser.get("/login")


def _post_of(instance: Instance) -> Request:
    return lambda browser: browser.send("/login", 302, email=instance.customers[0], password=PASSWORD)


def _call_of(instance: Instance) -> Request:
    return lambda browser: browser.call(_API, instance.api_key, email=instance.customers[0], password=PASSWORD)


def _hash_cost(instance: Instance) -> float:
    hasher, salt = Hasher(instance.settings.argon2), new_salt()
    before = process_time()
    for _ in range(POSTS):
        hasher.hash(PASSWORD, salt)
    return (process_time() - before) / POSTS * 1000
