"""An MCP server that offers the shop's tools to a foreign model. See docs/embedding.md for what it may do."""
