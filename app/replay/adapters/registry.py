"""Every adapter by the name that `sluice replay --as` takes."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from app.replay.adapters.eshop import ESHOP
from app.replay.adapters.fraud_ecommerce import FRAUD_ECOMMERCE
from app.replay.adapters.native import native_sources
from app.replay.adapters.online_retail import ONLINE_RETAIL
from app.replay.adapters.payments_handbook import PAYMENTS_HANDBOOK
from app.replay.adapters.rees46 import REES46
from app.replay.adapters.retailrocket import RETAILROCKET
from app.replay.adapters.tables import Shape, table_sources
from app.replay.adapters.taobao import TAOBAO_ACTIONS, TAOBAO_BEHAVIOUR
from app.replay.recorded import Source

Adapter = Callable[[Sequence[Path]], Sequence[Source]]


def _tables(kind: str, *shapes: Shape) -> Adapter:
    return lambda files: table_sources(files, kind, shapes)


ADAPTERS: Mapping[str, Adapter] = {
    "native": native_sources,
    "rees46": _tables("rees46", REES46),
    "retailrocket": _tables("retailrocket", RETAILROCKET),
    "taobao": _tables("taobao", TAOBAO_BEHAVIOUR, TAOBAO_ACTIONS),
    "eshop": _tables("eshop", ESHOP),
    "online-retail": _tables("online-retail", ONLINE_RETAIL),
    "payments-handbook": _tables("payments-handbook", PAYMENTS_HANDBOOK),
    "fraud-ecommerce": _tables("fraud-ecommerce", FRAUD_ECOMMERCE),
}
