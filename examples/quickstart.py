"""Embed the bot: ``python examples/quickstart.py``. It answers from the configured store with the model on this box."""

from shopbot import Bot, ShopbotError


def main() -> None:
    try:
        with Bot.open() as bot:
            session = bot.session()
            for message in ("where is my last order?", "ada@example.com", "do you have desk lamps?"):
                print(f"customer: {message}")
                print(f"bot: {session.ask(message).text}\n")
    except ShopbotError as error:
        print(f"{error}\n'make serve' sets up the demo store and the model.")


if __name__ == "__main__":
    main()
