"""What a card says of every version of a kind of model: what it is for, what it must not do, what it cannot know."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from app.models.manifest import Kind


@dataclass(frozen=True)
class Statements:
    """Sentences by section; ``missing`` is why a set has no figures by some group."""

    purpose: str
    misuse: tuple[str, ...]
    fairness: tuple[str, ...]
    limits: tuple[str, ...]
    missing: tuple[str, ...]


NEVER_INPUTS: Final = (
    "name",
    "e-mail address",
    "postal address",
    "country",
    "language or locale",
    "browser",
    "sex",
    "age",
    "what an IP address, a device or a payment card is (only, where a feature says so, how often it was seen)",
)
"""What no feature of clicks or orders is made of; a test holds the catalogues against it."""

_NOBODY: Final = (
    "Credit, insurance, employment, housing, education, health, or any benefit or right of a person: it was made "
    "from what visitors do in shops and says nothing of that.",
    "Prices or terms by person: whoever is likely to buy, or thought risky, must not pay more for it.",
    "Decisions about a person without a review by people who can see the reasons, and a way to object, where the "
    "decision is more than a question asked again (GDPR, article 22).",
    "Telling who somebody is, or what group somebody belongs to.",
)

STATEMENTS: Final[Mapping[Kind, Statements]] = {
    "intent": Statements(
        purpose=(
            "At every click of a shop's visitor: what the visitor is about to do, and whether an order will be "
            "completed later in the session. For recommendations, help offered at the right time, and figures of a "
            "shop as a whole."
        ),
        misuse=(*_NOBODY, "Pressing people: false scarcity or countdowns for those who hesitate."),
        fairness=(
            "Visitors are known by a pseudonymous id, by which their history is kept, and which is no input itself.",
            "The time of day is an input, in UTC: it may stand for a time zone, and so for a region.",
            "Who is new has no history: see the figures of first sessions.",
        ),
        limits=(
            "Public clickstreams of one shop each, 2008 to 2017; other shops differ. Probabilities are calibrated "
            "for the mixture of sets, not for yours.",
            "The RetailRocket extract has buyers only, with one row per visitor, product and event.",
            "Searches, messages and returns are from the simulated shop; that says nothing about people.",
            "Bots are not told apart from people.",
        ),
        missing=(
            "taobao: no country, no language and no account data; all of one shop in China.",
            "retailrocket: no country and no language.",
            "shop (simulated): countries and locales are drawn without any effect on behaviour, so a figure by them "
            "would say nothing.",
            "eshop: countries are those of the visitors' addresses, as published. Sessions are not linked to "
            "visitors, so all are first ones; the set has no orders.",
        ),
    ),
    "risk": Statements(
        purpose=(
            "At every order or payment: how probable fraud is, and why, for a policy and a team that review. It is "
            "one voice beside rules and lists."
        ),
        misuse=(*_NOBODY, "Refusing service to a country, a group or new customers as such."),
        fairness=(
            "Of countries only this is an input: whether billing and shipping country differ, not which they are. "
            "People who send gifts, live abroad or have moved differ more often.",
            "An account's age is an input: new customers are held riskier by it. See the figures by account.",
            "The time of day is an input, in UTC: it may stand for a time zone, and so for a region.",
        ),
        limits=(
            "No real fraud is in the training data; both sets are simulated. Train on your own labelled orders first.",
            "Amounts are not converted between currencies.",
            "Labels of fraud are what somebody found and reported; who is looked at more is found more.",
        ),
        missing=(
            "payments_handbook (simulated): no country, no language and no age of accounts; customers are told apart "
            "by how often they ordered.",
            "shop (simulated): the frauds follow a few patterns that the model finds without a miss, so a perfect "
            "figure says nothing of real ones.",
            "fraud_ecommerce: real first orders, nothing of which trained. Countries are looked up by address; "
            "ranges are missing for a quarter of the addresses, and the address itself for two fifths of the orders. "
            "The first two weeks, when rings bought within a second of signing up, are left out. Sex and age of "
            "customers are in the set, are no inputs, and are not used here either.",
        ),
    ),
    "text": Statements(
        purpose=(
            "Of a search or a message to customer service, in Chinese, English or both: what is wanted, in which "
            "language; over a conversation, whether it is solved and how satisfied its writer is. For routing and for "
            "search."
        ),
        misuse=(*_NOBODY, "Judging customer service agents: what is measured is what customers write."),
        fairness=(
            "Nothing but the text is an input: not who wrote it, nor from where.",
            "Texts tell a region, an education or a second language by how they are written; such texts are "
            "understood worse where the training texts have few of them, which was not measured.",
        ),
        limits=(
            "Other languages than Chinese and English are recognised as such and not understood.",
            "Irony, insults and mixed wishes are read by what is said most.",
            "Satisfaction was learned from reviews and helpdesk dialogues, not from a shop's messages.",
        ),
        missing=(
            "No set tells a writer's country or account: the figures are by language alone.",
            "The shopper test is hand-written by few people; it is no sample of what customers write.",
        ),
    ),
}
