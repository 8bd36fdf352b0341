// Every sentence that the widget itself says.

export const TITLE = "Chat";
export const OPEN = "Open the chat";
export const OPEN_UNREAD = (count) => `Open the chat, ${count} new ${count === 1 ? "message" : "messages"}`;
export const CLOSE = "Close the chat";
export const RESTART = "New conversation";
export const RESTART_SURE = "A colleague has been asked, or is here already. Leave this conversation, and begin a new one?";
export const LOG = "Conversation";
export const CHOICES = "Suggested answers";
export const FIELD = "Your message";
export const PLACEHOLDER = "Type your message";
export const SEND = "Send";
export const TRY_AGAIN = "Try again";
export const YES = "Yes, go ahead";
export const NO = "No, leave it";

export const BOT_NOTE = "Automated assistant, not a person";
export const BOT_NOTE_LONG = "You are talking to an automated assistant, not a person. You can ask for a human agent at any time.";
export const WHO = { customer: "You", bot: "Assistant", agent: "Human agent" };
export const MODES = {
  bot: "",
  waiting: "A colleague has been asked and will answer here. Until then, the assistant goes on.",
  human: "A human agent has joined. The assistant is silent for now.",
};
export const JOINED = (agent) => `${agent} has joined. The assistant is silent for now.`;
export const HUMAN_NOTE = "You are talking to a human agent";

export const READING = "The assistant is reading…";
export const ANSWERING = "The assistant is looking that up…";
export const SENDING = "Sending…";
export const NOT_SENT = "Not sent yet";
export const NOT_TAKEN = "Not sent";

export const LOST = "There is no connection to the shop. Your message is kept, and sent once, as soon as there is one.";
export const LOST_IDLE = "There is no connection to the shop. Trying again…";
export const FAILED = "Something went wrong at the shop. Your message is kept, and nothing is done twice.";
export const WAIT = (message, seconds) => `${message} Your message is kept; next try in ${seconds} s.`;
export const UNSENT_FIRST = "Your last message has not been answered yet. The next one can be sent after that.";
export const ENDED = "The conversation above has ended. A new one begins here; please say again what you need.";
export const TOO_LONG = (most) => `That is too long; at most ${most} characters fit in a message.`;

export const RATE_UP = "Good answer";
export const RATE_DOWN = "Bad answer";
export const RATED = { up: "Thank you, that was a good answer.", down: "Thank you for telling us." };
export const WHAT_WAS_WRONG = "What was wrong? (optional)";
export const SEND_FEEDBACK = "Send feedback";
export const FEEDBACK_FAILED = "That could not be sent. Please try again.";

export const ORDER = "Order";
export const PLACED = "placed";
export const TRACKING = "Tracking number";
export const EXPECTED = "expected";
export const DELIVERED = "delivered";
