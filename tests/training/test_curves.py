"""Curves are what they are called, and a page of them is one valid drawing."""

from xml.etree import ElementTree

import numpy as np

from app.training.curves import Panel, calibration, page


def test_a_calibrated_model_lies_on_the_diagonal() -> None:
    random = np.random.default_rng(0)
    said = random.random(50_000)
    for mean, share in calibration(random.random(50_000) < said, said):
        assert abs(mean - share) < 0.03


def test_a_page_is_one_drawing_with_every_name_and_curve() -> None:
    panel = Panel("ROC", "a", "b", [(0.0, 0.0), (1.0, 1.0)])
    drawn = ElementTree.fromstring(page([("one & two", [panel, panel]), ("three", [panel])]))
    names = [text.text for text in drawn.iter("{http://www.w3.org/2000/svg}text")]
    assert {"one & two", "three", "ROC"} <= set(names)
    assert len(list(drawn.iter("{http://www.w3.org/2000/svg}polyline"))) == 3
