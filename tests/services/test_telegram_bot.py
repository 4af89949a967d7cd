"""The Telegram bot against a stand-in of the Bot API."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import Api, Refused, SlowDown, TelegramError
from bot_settings import read_settings
from desk.events import Signal
from desk.labels import explain
from desk.redis import Redis
from desk.streams import FUSED, Entry, add
from limits import Limits
from outbox import STALE_MS, Message, Outbox
from running import SERVICES, Launch, ServiceProcess, eventually, has_acknowledged

BOT = SERVICES / "telegram-bot" / "telegram_bot.py"
TOKEN = "123456:secret-TOKEN_value"
CHAT = -42
Start = Callable[[], ServiceProcess]


class Call(NamedTuple):
    """One request that the stand-in got."""

    at: float
    path: str
    arguments: dict[str, Any]


class Telegram(ThreadingHTTPServer):
    """Takes messages, hands out updates, and fails as often as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.sent: list[Call] = []  # every attempt to send a message
        self.updates: list[dict[str, Any]] = []
        self.failures: list[tuple[int, dict[str, Any]]] = []

    @property
    def texts(self) -> list[str]:
        """The texts of all attempts."""
        return [call.arguments["text"] for call in self.sent]

    def ask(self, text: str, chat: int = CHAT, age_seconds: float = 0.0) -> None:
        """Let someone write to the bot."""
        message = {"chat": {"id": chat}, "text": text, "date": int(time.time() - age_seconds)}
        self.updates.append({"update_id": len(self.updates) + 1, "message": message})

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        """Answer as the Bot API would."""
        if call.path.endswith("/getUpdates"):
            updates = self.updates[max(0, call.arguments.get("offset", 0) - 1) :]
            if not updates:
                time.sleep(0.05)
            return 200, {"ok": True, "result": updates}
        self.sent.append(call)
        if self.failures:
            return self.failures.pop(0)
        return 200, {"ok": True, "result": {"message_id": len(self.sent)}}


class Handler(BaseHTTPRequestHandler):
    """HTTP for Telegram."""

    protocol_version = "HTTP/1.1"
    server: Telegram

    def do_POST(self) -> None:
        """Hand the request over."""
        arguments = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        status, answer = self.server.answer(Call(time.monotonic(), self.path, arguments))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name there
        """Stay silent."""


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    """A running stand-in."""
    server = Telegram()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def start(launch: Launch, telegram: Telegram, tmp_path: Path) -> Start:
    """Start the bot with a token."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    settings = {"TOKEN_FILE": str(tmp_path / "token"), "CHAT_ID": str(CHAT)}
    settings["API_URL"] = telegram.url
    return partial(launch, BOT, **{f"TELEGRAM_{name}": settings[name] for name in settings})


def signal(symbol: str = "BTCUSDT", direction: int = 1, confidence: float = 0.9) -> Signal:
    return Signal("signal-fusion", symbol, "probability_up", 0.95, direction, confidence, 1_700)


def publish(redis: Redis, *signals: Signal) -> None:
    redis.pipeline([*explain(signals), *(add(FUSED, signal) for signal in signals)])


def wait_until_done(redis: Redis) -> None:
    eventually(lambda: has_acknowledged(redis, FUSED, "telegram-bot"))


def test_a_fused_signal_becomes_a_message(redis: Redis, telegram: Telegram, start: Start) -> None:
    redis.call("XADD", FUSED, "*", "symbol", "BTCUSDT", "direction", "sideways")  # is skipped
    publish(redis, signal())
    service = start()
    eventually(lambda: telegram.texts == ["BTCUSDT ▲ up, confidence 90%"])
    assert telegram.sent[0].arguments["chat_id"] == CHAT
    assert telegram.sent[0].path == f"/bot{TOKEN}/sendMessage"
    wait_until_done(redis)
    eventually(service.is_healthy)
    assert service.stop() == 0


def test_an_opinion_is_not_repeated(redis: Redis, telegram: Telegram, start: Start) -> None:
    publish(redis, signal())
    first = start()
    eventually(lambda: len(telegram.sent) == 1)
    wait_until_done(redis)
    first.kill()
    publish(redis, signal(confidence=0.8), signal(direction=-1, symbol="ETHUSDT"))
    start()
    eventually(lambda: len(telegram.sent) == 2)
    wait_until_done(redis)
    assert telegram.texts[1].startswith("ETHUSDT")
    assert 0 < redis.call("TTL", "sent:BTCUSDT") <= 1_800


def test_messages_keep_a_second_apart(redis: Redis, telegram: Telegram, start: Start) -> None:
    publish(redis, *(signal(symbol=f"COIN{number}") for number in range(3)))
    start()
    eventually(lambda: len(telegram.sent) == 3)
    assert all(later.at - call.at >= 0.9 for call, later in pairwise(telegram.sent))


SLOW_DOWN = (429, {"ok": False, "parameters": {"retry_after": 2}})
BAD_GATEWAY = (502, {"ok": False, "description": "Bad Gateway"})
NO_CHAT = (400, {"ok": False, "description": "Bad Request: chat not found"})
UNAUTHORIZED = (401, {"ok": False, "description": "Unauthorized"})


@pytest.mark.parametrize("failure", [SLOW_DOWN, BAD_GATEWAY, NO_CHAT, UNAUTHORIZED])
def test_a_failure_is_reported_without_the_token_and_sending_goes_on(
    redis: Redis, telegram: Telegram, start: Start, failure: tuple[int, dict[str, Any]]
) -> None:
    """The message is tried again, unless Telegram will never take it: then the next is sent."""
    telegram.failures.append(failure)
    publish(redis, signal(), *([signal(symbol="ETHUSDT")] if failure is NO_CHAT else []))
    service = start()
    eventually(lambda: len(telegram.sent) == 2)
    first, second = telegram.sent
    assert second.at - first.at >= (2.0 if failure is SLOW_DOWN else 0.0)
    assert (first.arguments == second.arguments) is (failure is not NO_CHAT)
    wait_until_done(redis)
    assert str(failure[1].get("description", "asks to wait 2 s")) in service.output
    assert service.stop() == 0
    assert "secret" not in service.output


def test_only_its_chat_gets_the_status(redis: Redis, telegram: Telegram, start: Start) -> None:
    redis.call("HSET", "stats:risk", "processed", 12, "bad", 0)
    telegram.ask("/status", chat=666)
    telegram.ask("/status", age_seconds=3_600)
    telegram.ask("/start")
    telegram.ask("/status@crypto_desk_bot")
    start()
    eventually(lambda: telegram.texts)
    (answer,) = telegram.texts
    for part in ("Last signal: none yet", "risk: processed 12", "of 56 MiB"):
        assert part in answer
    assert telegram.sent[0].arguments["chat_id"] == CHAT


def test_without_a_token_it_says_what_it_would_send(redis: Redis, launch: Launch) -> None:
    publish(redis, signal(direction=-1))
    service = launch(BOT, TELEGRAM_TOKEN_FILE="/dev/null")
    service.says("would send: BTCUSDT ▼ down, confidence 90%")
    wait_until_done(redis)
    eventually(service.is_healthy)
    assert service.stop() == 0


def test_a_token_needs_a_chat(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(ValueError, match="TELEGRAM_CHAT_ID"):
        read_settings({"TELEGRAM_TOKEN_FILE": str(tmp_path / "token")})


def test_the_token_is_in_no_error() -> None:
    with pytest.raises(TelegramError, match="ConnectionRefusedError") as raised:
        Api("http://127.0.0.1:9", TOKEN).call("sendMessage", {})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("token", ["", "with space", "new\nline", "ü"])
def test_a_token_that_is_not_valid_is_refused_without_being_named(token: str) -> None:
    with pytest.raises(ValueError, match="token") as raised:
        Api("https://api.telegram.org", token)
    assert not token or token not in str(raised.value)


@pytest.mark.parametrize(
    ("status", "answer", "kind"),
    [
        (429, {"ok": False, "parameters": {"retry_after": 7}}, SlowDown),
        (429, {"ok": False}, SlowDown),
        (400, {"ok": False, "description": "no"}, Refused),
        (403, {"ok": False, "description": "blocked"}, Refused),
        (500, {"ok": False}, TelegramError),
        (200, {}, TelegramError),
    ],
)
def test_answers_have_their_errors(
    telegram: Telegram, status: int, answer: dict[str, Any], kind: type[TelegramError]
) -> None:
    telegram.failures.append((status, answer))
    api = Api(telegram.url, TOKEN)
    with pytest.raises(TelegramError) as raised:
        api.call("sendMessage", {})
    api.close()
    assert type(raised.value) is kind


@given(st.lists(st.tuples(st.integers(1, 50), st.floats(0, 0.2)), max_size=300))
def test_limits_hold_for_any_order_of_chats(wishes: list[tuple[int, float]]) -> None:
    limits, now = Limits(), 100.0
    sent: list[tuple[float, int]] = []
    for chat, pause in wishes:
        now += pause
        now += limits.wait_seconds(chat, now)
        assert limits.wait_seconds(chat, now) < 1e-9
        limits.sent(chat, now)
        sent.append((now, chat))
        window = [earlier for at, earlier in sent if at > now - 1.0 + 1e-6]
        assert len(window) <= 31
        assert window.count(chat) == 1


def message(number: int, *opinion: Any) -> Message:
    return Message(signal(*opinion), Entry(FUSED, b"%d-0" % number, {}))


SYMBOLS = st.sampled_from(("BTC", "ETH", "SOL"))


@given(st.lists(st.tuples(SYMBOLS, st.sampled_from((-1, 0, 1)), st.floats(0.0, 1.0)), max_size=60))
def test_every_entry_is_done_with_once_and_the_newest_of_a_symbol_waits(
    wishes: list[tuple[str, int, float]],
) -> None:
    outbox = Outbox(least_confidence=0.3)
    done: list[bytes] = []
    newest: dict[str, bytes] = {}
    for number, wish in enumerate(wishes):
        offered = message(number, *wish)
        done += [entry.id for entry in outbox.offer(offered, 0)]
        newest[wish[0]] = offered.entry.id
    while waiting := outbox.next(0)[0]:
        assert waiting.entry.id == newest[waiting.signal.symbol]
        assert waiting.signal.direction != 0
        assert waiting.signal.confidence >= 0.3
        outbox.remove(waiting)
        done.append(waiting.entry.id)
    assert sorted(done) == sorted(b"%d-0" % number for number in range(len(wishes)))


def test_old_messages_are_not_sent() -> None:
    outbox, old = Outbox(least_confidence=0.3), message(1_000)
    outbox.offer(old, 0)
    assert outbox.next(1_000 + STALE_MS + 1) == (None, [old.entry])


def test_losing_its_direction_is_news_only_after_having_had_one() -> None:
    outbox, nothing = Outbox(least_confidence=0.3), message(1, "BTC", 0, 0.0)
    assert outbox.offer(nothing, 0) == [nothing.entry]
    assert outbox.offer(nothing, 1) == []
    assert outbox.next(0)[0] == nothing
    assert nothing.text == "BTC ■ no direction any more"
