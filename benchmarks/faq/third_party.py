"""The FAQ search on questions that others wrote (third-party data, not part of the project).

    python -m benchmarks.faq.third_party

Nothing was tuned on these rows. Each label is mapped to the passages of the example files that answer it.
"""

from __future__ import annotations

from shopbot_faq.folder import EXAMPLE_FOLDER, FaqFolder
from shopbot_faq.search import THRESHOLD

from benchmarks import shared_data
from benchmarks.faq.run import Row, ours, score

#: Label → the passages that answer it.
PASSAGES = {
    "check_cancellation_fee": "cancellations-and-changes.md#cancellation-fees",
    "check_payment_methods": "payment.md#payment-methods-we-accept payment.md#payment-methods-we-do-not-accept",
    "check_refund_policy": "returns.md#our-return-policy returns.md#how-long-a-refund-takes "
    "returns.md#how-you-get-your-money-back cancellations-and-changes.md#refund-after-a-cancellation "
    "returns.md#things-that-cannot-be-returned",
    "complaint": "reviews-and-complaints.md#making-a-complaint",
    "contact_customer_service": "stores-and-contact.md#customer-service-hours-and-contact",
    "create_account": "account.md#creating-an-account",
    "delete_account": "account.md#deleting-your-account",
    "delivery_options": "shipping.md#express-and-next-day-delivery shipping.md#countries-we-deliver-to "
    "shipping.md#cities-and-regions-inside-the-united-states",
    "delivery_period": "shipping.md#how-long-standard-delivery-takes",
    "edit_account": "account.md#editing-your-account",
    "newsletter_subscription": "newsletter.md#subscribing-to-the-newsletter newsletter.md#unsubscribing",
    "payment_issue": "payment-problems.md#a-card-was-declined",
    "place_order": "ordering.md#how-to-place-an-order",
    "recover_password": "account.md#forgotten-password",
    "registration_problems": "account.md#problems-with-registration",
    "review": "reviews-and-complaints.md#feedback-about-the-shop reviews-and-complaints.md#writing-a-product-review",
    "switch_account": "account.md#personal-and-business-accounts",
}


def read() -> list[Row]:
    """Labelled questions about a shop, and questions about anything but a shop. FileNotFoundError without the data."""
    rows = []
    for row in shared_data.read("intent_routing.jsonl"):
        if row["source"] == "bitext8k" and row["source_label"] in PASSAGES:
            rows.append(Row(row["text"], frozenset(PASSAGES[row["source_label"]].split()), "held_out"))
        elif row["intent"] == "out_of_scope":
            rows.append(Row(row["text"], frozenset(), "held_out"))
    return rows


def main() -> None:
    try:
        rows = read()
    except FileNotFoundError:
        print(f"Skipped: no third-party data in {shared_data.FOLDER}.")
        return
    for line, value in score(rows, ours(FaqFolder(EXAMPLE_FOLDER).index), THRESHOLD).lines():
        print(f"| {line} | {value} |")


if __name__ == "__main__":
    main()
