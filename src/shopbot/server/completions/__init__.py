"""What a chat needs of OpenAI's API, so that programs made for it can talk to the bot; see docs/http-api.md."""
