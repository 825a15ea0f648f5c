"""Public text sets whose labels mean intents of the contract: which label means which."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Public:
    """A set: its file, the columns of text and label, at most how many texts of each label, and what labels mean."""

    file: str
    label: str
    licence: str
    most: int
    intents: Mapping[str, str]
    text: str = "text"


def _meaning(**labels: str) -> dict[str, str]:
    """Labels (separated by white space) by what they mean, turned round."""
    return {label: intent for intent, names in labels.items() for label in names.split()}


# Left out: what falls between two of the contract's intents (a cancellation fee, placing an order, a shipping address
# that may be an order's or the account's), and all that is about banking alone.
INTENTS_OF: Final = (
    Public(
        "text_bitext_support/utterances.parquet",
        "intent",
        "CDLA-Sharing 1.0 (Bitext)",
        30,
        _meaning(
            cancel_order="cancel_order",
            change_order="change_order",
            payment_problem="check_invoice get_invoice check_payment_methods payment_issue",
            return_refund="check_refund_policy get_refund track_refund",
            complaint="complaint",
            human_agent="contact_human_agent contact_customer_service",
            account_help="create_account delete_account edit_account switch_account recover_password "
            "registration_problems set_up_shipping_address",
            delivery="delivery_options delivery_period",
            track_order="track_order",
        ),
    ),
    Public(
        "text_banking77/utterances.parquet",
        "intent",
        "CC BY 4.0 (PolyAI)",
        12,
        _meaning(
            payment_problem="declined_card_payment card_not_working transaction_charged_twice pending_card_payment "
            "apple_pay_or_google_pay card_acceptance visa_or_mastercard contactless_not_working "
            "card_payment_fee_charged",
            return_refund="Refund_not_showing_up request_refund",
            account_help="passcode_forgotten edit_personal_details terminate_account",
            track_order="card_arrival",
            delivery="card_delivery_estimate",
        ),
    ),
    Public(
        "text_clinc150/utterances.parquet",
        "intent",
        "CC BY 3.0 (clinc/oos-eval)",
        12,
        _meaning(
            track_order="order_status",
            other="oos restaurant_reservation restaurant_suggestion recipe meal_suggestion calories cook_time how_busy "
            "translate travel_alert flight_status timezone lost_luggage travel_suggestion book_hotel vaccines "
            "book_flight car_rental pto_request payday schedule_meeting meeting_schedule taxes next_holiday income "
            "distance mpg oil_change_how tire_pressure uber gas current_location directions traffic jump_start "
            "next_song todo_list reminder what_song smart_home calendar play_music "
            "timer definition find_phone time flip_coin calculator date roll_dice make_call alarm "
            "measurement_conversion weather spelling text share_location "
            "meaning_of_life fun_fact where_are_you_from what_can_i_ask_you who_made_you thank_you do_you_have_pets "
            "who_do_you_work_for goodbye greeting what_is_your_name what_are_your_hobbies are_you_a_bot tell_joke "
            "how_old_are_you change_language change_user_name maybe user_name repeat yes change_speed no "
            "change_volume whisper_mode reset_settings change_ai_name credit_score interest_rate w2",
        ),
    ),
    Public(
        "text_smp_ecdt/smp2017_domain.parquet",
        "domain",
        "no licence stated (SMP evaluation data, iFLYTEK)",
        20,
        _meaning(
            other="app bus calc chat cinemas contacts cookbook datetime email epg flight health lottery map match "
            "message music news novel poetry radio riddle schedule stock telephone train translation tvchannel video "
            "weather website",
        ),
    ),
    Public(
        "text_dialogflow_support/utterances.parquet",
        "intent",
        "no licence stated (howl-anderson/NLU_benchmark_dataset)",
        20,
        {
            "support.live_agent": "human_agent",
            "support.refund": "return_refund",
            "support.special_offers": "promotion",
            "support.about.app_name": "other",
            "support.creators": "other",
        },
    ),
)
