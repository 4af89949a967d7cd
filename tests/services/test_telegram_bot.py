"""The Telegram bot against a stand-in of the Bot API."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api import Api, Refused, SlowDown, TelegramError
from bot_settings import read_settings
from desk.events import Signal
from desk.redis import Redis
from desk.streams import FUSED, Entry, add
from limits import Limits
from outbox import STALE_MS, Message, Outbox
from running import SERVICES, ServiceProcess, eventually

BOT = SERVICES / "telegram-bot" / "telegram_bot.py"
TOKEN = "123456:secret-TOKEN_value"
CHAT = -42
Launch = Callable[..., ServiceProcess]


class Call(NamedTuple):
    """One request the stand-in got."""

    at: float
    path: str
    arguments: dict[str, Any]


class Telegram(ThreadingHTTPServer):
    """Takes messages, hands out updates, and fails as often as it is told to."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.calls: list[Call] = []
        self.updates: list[dict[str, Any]] = []
        self.failures: list[tuple[int, dict[str, Any]]] = []

    @property
    def url(self) -> str:
        """Where it serves."""
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def sent(self) -> list[Call]:
        """Every attempt to send a message, in order."""
        return [call for call in self.calls if call.path.endswith("/sendMessage")]

    @property
    def texts(self) -> list[str]:
        """The texts of all attempts."""
        return [call.arguments["text"] for call in self.sent]

    def ask(self, number: int, text: str, chat: int = CHAT, age_seconds: float = 0.0) -> None:
        """Let someone write to the bot."""
        message = {"chat": {"id": chat}, "text": text, "date": int(time.time() - age_seconds)}
        self.updates.append({"update_id": number, "message": message})

    def answer(self, call: Call) -> tuple[int, dict[str, Any]]:
        """Answer as the Bot API would."""
        self.calls.append(call)
        if call.path.endswith("/getUpdates"):
            offset = call.arguments.get("offset", 0)
            found = [update for update in self.updates if update["update_id"] >= offset]
            if not found:
                time.sleep(0.05)
            return 200, {"ok": True, "result": found}
        if self.failures:
            return self.failures.pop(0)
        return 200, {"ok": True, "result": {"message_id": len(self.calls)}}


class Handler(BaseHTTPRequestHandler):
    """HTTP for Telegram."""

    protocol_version = "HTTP/1.1"
    server: Telegram

    def do_POST(self) -> None:
        """Hand the request over."""
        length = int(self.headers.get("Content-Length", 0))
        arguments = json.loads(self.rfile.read(length) or b"{}")
        status, answer = self.server.answer(Call(time.monotonic(), self.path, arguments))
        body = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - ditto
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
def start(launch: Launch, telegram: Telegram, tmp_path: Path) -> Callable[[], ServiceProcess]:
    """Start the bot with a token."""
    token_file = tmp_path / "token"
    token_file.write_text(TOKEN + "\n")

    def start_bot() -> ServiceProcess:
        return launch(
            BOT,
            TELEGRAM_TOKEN_FILE=str(token_file),
            TELEGRAM_CHAT_ID=str(CHAT),
            TELEGRAM_API_URL=telegram.url,
        )

    return start_bot


def signal(symbol: str = "BTCUSDT", direction: int = 1, confidence: float = 0.9) -> Signal:
    return Signal(
        service="signal-fusion",
        symbol=symbol,
        name="probability_up",
        value=0.95,
        direction=direction,
        confidence=confidence,
        time_ms=1_700_000_000_000,
    )


def publish(redis: Redis, *signals: Signal) -> None:
    redis.pipeline([add(FUSED, one) for one in signals])


def pending(redis: Redis) -> Any:
    return redis.call("XPENDING", FUSED, "telegram-bot")[0]


def test_a_fused_signal_becomes_a_message(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    publish(redis, signal())
    service = start()
    eventually(lambda: telegram.texts == ["BTCUSDT ▲ up, confidence 90%"])
    assert telegram.sent[0].arguments["chat_id"] == CHAT
    assert telegram.sent[0].path == f"/bot{TOKEN}/sendMessage"
    eventually(lambda: pending(redis) == 0)
    eventually(service.is_healthy)
    assert service.stop(within_seconds=2.0) == 0


def test_the_same_opinion_is_sent_once_even_over_a_restart(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    publish(redis, signal())
    first = start()
    eventually(lambda: len(telegram.sent) == 1 and pending(redis) == 0)
    first.kill()
    publish(redis, signal(confidence=0.8), signal(direction=-1, symbol="ETHUSDT"))
    start()
    eventually(lambda: len(telegram.sent) == 2)
    eventually(lambda: pending(redis) == 0)
    assert telegram.texts[1].startswith("ETHUSDT")
    assert 0 < redis.call("TTL", "sent:BTCUSDT") <= 1_800


def test_messages_to_a_chat_keep_a_second_apart(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    publish(redis, *(signal(symbol=f"COIN{number}") for number in range(3)))
    start()
    eventually(lambda: len(telegram.sent) == 3)
    times = [call.at for call in telegram.sent]
    assert times[1] - times[0] >= 0.9
    assert times[2] - times[1] >= 0.9


def test_a_429_is_honoured_and_the_message_sent_later(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    telegram.failures.append(
        (429, {"ok": False, "error_code": 429, "parameters": {"retry_after": 2}})
    )
    publish(redis, signal())
    start()
    eventually(lambda: len(telegram.sent) == 2)
    assert telegram.sent[1].at - telegram.sent[0].at >= 2.0
    eventually(lambda: pending(redis) == 0)


def test_a_server_error_is_tried_again(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    telegram.failures.append((502, {"ok": False, "description": "Bad Gateway"}))
    publish(redis, signal())
    service = start()
    eventually(lambda: len(telegram.sent) == 2)
    assert "502" in service.output
    eventually(lambda: pending(redis) == 0)


def test_a_message_telegram_refuses_is_given_up_and_the_next_sent(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    telegram.failures.append((400, {"ok": False, "description": "Bad Request: chat not found"}))
    publish(redis, signal(), signal(symbol="ETHUSDT"))
    service = start()
    eventually(lambda: len(telegram.sent) == 2)
    assert "chat not found" in service.output
    eventually(lambda: pending(redis) == 0)


def test_a_poisoned_signal_is_skipped(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    redis.call("XADD", FUSED, "*", "symbol", "BTCUSDT", "direction", "sideways")
    publish(redis, signal())
    start()
    eventually(lambda: len(telegram.sent) == 1)
    eventually(lambda: pending(redis) == 0)


def test_status_is_answered_in_the_own_chat_only(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    redis.call("HSET", "stats:risk", "processed", 12, "bad", 0)
    telegram.ask(1, "/status", chat=666)
    telegram.ask(2, "/status", age_seconds=3_600)
    telegram.ask(3, "/start")
    telegram.ask(4, "/status@crypto_desk_bot")
    start()
    eventually(lambda: telegram.texts)
    (answer,) = telegram.texts
    assert "Last signal: none yet" in answer
    assert "risk: processed 12" in answer
    assert "of 56 MiB" in answer
    assert telegram.sent[0].arguments["chat_id"] == CHAT


def test_the_token_is_never_printed(
    redis: Redis, telegram: Telegram, start: Callable[[], ServiceProcess]
) -> None:
    telegram.failures += [(401, {"ok": False, "description": "Unauthorized"})] * 2
    publish(redis, signal())
    service = start()
    service.says("Unauthorized")
    eventually(lambda: pending(redis) == 0)
    service.stop(within_seconds=2.0)
    assert "secret" not in service.output


def test_the_token_is_in_no_error() -> None:
    with pytest.raises(TelegramError, match="ConnectionRefusedError") as raised:
        Api("http://127.0.0.1:9", TOKEN).call("sendMessage", {})
    assert "secret" not in str(raised.value)


def test_without_a_token_it_says_what_it_would_send(redis: Redis, launch: Launch) -> None:
    publish(redis, signal(direction=-1))
    service = launch(BOT, TELEGRAM_TOKEN_FILE="/dev/null")
    service.says("would send: BTCUSDT ▼ down, confidence 90%")
    eventually(lambda: pending(redis) == 0)
    eventually(service.is_healthy)
    assert service.stop(within_seconds=2.0) == 0


def test_a_token_needs_a_chat(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN)
    with pytest.raises(ValueError, match="TELEGRAM_CHAT_ID"):
        read_settings({"TELEGRAM_TOKEN_FILE": str(tmp_path / "token")})


@pytest.mark.parametrize("token", ["", "with space", "new\nline", "ü"])
def test_a_token_that_is_none_is_refused_without_being_named(token: str) -> None:
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


@given(
    st.lists(
        st.tuples(st.integers(min_value=1, max_value=50), st.floats(min_value=0, max_value=0.2)),
        max_size=300,
    )
)
def test_limits_hold_for_any_order_of_chats(wishes: list[tuple[int, float]]) -> None:
    limits = Limits()
    now = 100.0
    sent: list[tuple[float, int]] = []
    for chat, pause in wishes:
        now += pause
        now += limits.wait_seconds(chat, now)
        assert limits.wait_seconds(chat, now) < 1e-9
        limits.sent(chat, now)
        sent.append((now, chat))
    for index, (time_sent, chat) in enumerate(sent):
        window = [one for one in sent[: index + 1] if one[0] > time_sent - 1.0 + 1e-6]
        assert len(window) <= 31
        assert [one[1] for one in window].count(chat) == 1


def entry(number: int) -> Entry:
    return Entry(FUSED, f"{number}-0".encode(), {})


@given(
    st.lists(
        st.tuples(
            st.sampled_from(("BTC", "ETH", "SOL")),
            st.sampled_from((-1, 0, 1)),
            st.floats(min_value=0.0, max_value=1.0),
        ),
        max_size=60,
    )
)
def test_every_entry_is_done_with_once_and_the_newest_of_a_symbol_waits(
    wishes: list[tuple[str, int, float]],
) -> None:
    outbox = Outbox(least_confidence=0.3)
    done: list[bytes] = []
    newest: dict[str, int] = {}
    for number, (symbol, direction, confidence) in enumerate(wishes):
        message = Message(signal=signal(symbol, direction, confidence), entry=entry(number))
        done += [one.id for one in outbox.offer(message, said=0)]
        newest[symbol] = number
    while message_or_none := outbox.next(0)[0]:
        assert message_or_none.entry.id == f"{newest[message_or_none.signal.symbol]}-0".encode()
        assert message_or_none.signal.direction != 0
        assert message_or_none.signal.confidence >= 0.3
        outbox.remove(message_or_none)
        done.append(message_or_none.entry.id)
    assert sorted(done) == sorted(f"{number}-0".encode() for number in range(len(wishes)))


def test_old_messages_are_not_sent() -> None:
    outbox = Outbox(least_confidence=0.3)
    outbox.offer(Message(signal=signal(), entry=entry(1_000)), said=0)
    message, stale = outbox.next(1_000 + STALE_MS + 1)
    assert message is None
    assert [one.id for one in stale] == [b"1000-0"]


def test_losing_its_direction_is_news_only_after_having_had_one() -> None:
    outbox = Outbox(least_confidence=0.3)
    nothing = Message(signal=signal(direction=0, confidence=0.0), entry=entry(1))
    assert outbox.offer(nothing, said=0) == [nothing.entry]
    assert outbox.offer(nothing, said=1) == []
    assert outbox.next(0)[0] == nothing
    assert nothing.text == "BTCUSDT ■ no direction any more"
