"""What customers can ask for: their points, the rules, and points for gift card money."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Annotated

from shopbot import Answer, Context, Customer, PaymentMethod, Refusal, Slot, tool
from shopbot_loyalty import points
from shopbot_loyalty.settings import Settings


@tool(
    effect="read",
    identity="customer",
    examples=[
        "how many points do I have?",
        "what's my points balance",
        "show me my loyalty points",
        "do I still have bonus points left",
        "check my reward points please",
        "points balance",
        "how much are my points worth",
        "have my points from the last order arrived?",
    ],
)
def points_balance(ctx: Context) -> Answer:
    "How many loyalty points the customer has, and what they are worth."
    have = points.balance(ctx)
    return Answer(f"You have {have} points, worth ${_worth(ctx, have)}.", {"points": have})


@tool(
    effect="read",
    examples=[
        "how do I earn points?",
        "how does the loyalty program work",
        "what is a point worth",
        "rules of the points program",
        "when do I get points for an order",
        "do points expire?",
        "explain your rewards scheme",
        "what can I do with loyalty points",
    ],
)
def points_rules(ctx: Context) -> Answer:
    "How points are earned and redeemed."
    rules = Settings.of(ctx.config)
    return Answer(
        "You earn one point for every dollar of an order once it is delivered. "
        f"{rules.points_per_dollar} points are $1 on your gift card; you can redeem {rules.minimum} points or more. "
        "Points of an order that you return do not count."
    )


def may_redeem(ctx: Context, amount: int) -> Refusal | None:
    """At least the minimum, at most what they have, and only whole cents onto a gift card that exists."""
    rules, have = Settings.of(ctx.config), points.balance(ctx)
    if amount < rules.minimum:
        return Refusal(f"You can redeem {rules.minimum} points or more.")
    if amount > have:
        return Refusal(f"You have {have} points, so I cannot redeem {amount}.")
    if _gift_card(ctx.me) is None:
        return Refusal("Points become money on a gift card, and there is none in your account.")
    return None


def redeem_text(ctx: Context, amount: int) -> str:
    """What is read back to the customer before their yes."""
    return f"I will turn {amount} points into ${_worth(ctx, amount)} on your gift card."


@tool(
    effect="write",
    identity="customer",
    policy=may_redeem,
    confirm=redeem_text,
    examples=[
        "redeem [amount: 500] points",
        "turn [amount: 200] of my points into gift card money",
        "I want to use my points",
        "cash in [amount: 1000] loyalty points",
        "convert points to my gift card",
        "put [amount: 300] reward points on my gift card",
        "can I spend my bonus points",
        "please redeem [amount: 150] bonus points",
    ],
)
def redeem_points(ctx: Context, amount: Annotated[int, Slot("How many points would you like to redeem?")]) -> Answer:
    "Turn loyalty points into money on the customer's gift card."
    customer = ctx.write.customer(ctx.me.id)
    card = _gift_card(customer)
    assert card is not None, "the policy has seen one"
    worth = _worth(ctx, amount)
    points.redeem(ctx, amount)
    topped_up = replace(card, balance=(card.balance or Decimal(0)) + worth)
    methods = tuple(topped_up if method.id == card.id else method for method in customer.payment_methods)
    ctx.write.save_customer(replace(customer, payment_methods=methods))
    return Answer(
        f"Done: {amount} points are ${worth} on your gift card, which now holds ${topped_up.balance}.",
        {"points": amount, "worth": str(worth), "gift_card": card.id},
    )


def _worth(ctx: Context, amount: int) -> Decimal:
    """Dollars for so many points, to the cent, rounded down."""
    return Decimal(100 * amount // Settings.of(ctx.config).points_per_dollar).scaleb(-2)


def _gift_card(customer: Customer) -> PaymentMethod | None:
    return next((method for method in customer.payment_methods if method.kind == "gift_card"), None)
