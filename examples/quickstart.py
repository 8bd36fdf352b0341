"""Embed the bot: ``python examples/quickstart.py``. The first run fetches the model and makes a demo shop."""

from shopbot import Bot, ShopbotError, prepare


def main() -> None:
    prepare(say=print)
    with Bot.open() as bot:
        session = bot.session()
        for message in (
            "do you have desk lamps?",
            "cancel my last order, I no longer need it",
            "ada@example.com",
            "no",
        ):
            print(f"customer: {message}")
            print(f"bot: {session.ask(message).text}\n")


if __name__ == "__main__":
    try:
        main()
    except ShopbotError as error:
        raise SystemExit(f"quickstart: {error}") from None
