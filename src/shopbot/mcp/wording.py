"""What the client's model is told beside the shop's own replies."""

from __future__ import annotations

INSTRUCTIONS = (
    "These are the tools of {shop}, for one customer. Give arguments in the customer's own words, or as they were "
    "shown. When a tool asks for something, ask the customer, and call it again with everything. A tool that changes "
    "something only reads the action back: show that to the customer word for word, and call 'confirm' if they say yes."
)
READ_BACK = (
    "Nothing is changed yet. Show the customer the text above word for word. If they say yes, call 'confirm' with "
    'confirmation_id "{id}".'
)
NO_WRITES = (
    "This client cannot ask the customer for a yes, so nothing can be changed here. Please use the shop's own chat, or "
    "a client that supports elicitation. The operator can allow it with 'shopbot mcp --confirm-by-client'."
)
NOTHING_WAITS = "No action waits for this confirmation. Call its tool again for a new one."
UNANSWERED = "The customer was asked and has not answered; nothing was changed. It still waits for a yes."
WHO = "Ask the customer, and call 'identify'."
NOBODY = "Nobody is signed in, and nobody can sign in here: the operator must start this with a customer token."
WITH_HUMAN = "A human agent has taken over this conversation; nothing is answered here."
FAILED = "The shop cannot be reached right now. Please try again."
TOO_FAST = "That was a lot at once. Please wait {seconds} seconds."
