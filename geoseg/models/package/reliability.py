"""How sure a model was of ground that it had not seen, and how often it was right.

It stands in ``mlm.json`` as ``geoseg:calibration``, before and after the temperature
that the model's output is divided by.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

CALIBRATION = "geoseg:calibration"
"""The property of the item that holds it."""
TEMPERATURE = "geoseg:temperature-scaling"
"""The format of the output's ``post_processing_function``, whose expression has the
``temperature``: the extension's room for what is done to an output."""
_MOST_BINS = 100
_DIGITS = 4


@dataclass(frozen=True, slots=True)
class Bin:
    """Pixels of like confidence, a point of a reliability diagram."""

    confidence: float
    """Their mean confidence, 0 to 1."""
    accuracy: float
    """The share of them that is right."""
    pixels: int
    """How many there are."""


@dataclass(frozen=True, slots=True)
class Reliability:
    """What was measured on ground that decided neither weights nor temperature."""

    ground: str
    """Which ground, in words."""
    pixels: int
    """The labelled pixels of it."""
    error_before: float
    """The expected calibration error without a temperature, 0 to 1."""
    error_after: float
    """The same with it."""
    before: tuple[Bin, ...]
    """The diagram without it, by rising confidence."""
    after: tuple[Bin, ...]
    """The diagram with it."""

    @property
    def confidence(self) -> float:
        """The mean confidence there with the temperature, 0 to 1."""
        total = sum(each.confidence * each.pixels for each in self.after)
        return total / (sum(each.pixels for each in self.after) or 1)

    @property
    def is_as_before(self) -> bool:
        """Whether no temperature was kept."""
        return self == self.without()

    def without(self) -> Reliability:
        """Give what was measured where no temperature is kept."""
        return replace(self, error_after=self.error_before, after=self.before)

    def sentence(self) -> str:
        """Say it in a part of a sentence."""
        beside = "" if self.is_as_before else f" instead of {self.error_before:.3f}"
        return (
            f"expected calibration error {self.error_after:.3f}{beside} on "
            f"{self.ground}"
        )

    def to_item(self) -> dict[str, Any]:
        """Write it as the item's property has it."""
        return {
            "ground": self.ground,
            "pixels": self.pixels,
            "expected_calibration_error": {
                "before": round(self.error_before, _DIGITS),
                "after": round(self.error_after, _DIGITS),
            },
            "reliability": {
                "before": [_rounded(each) for each in self.before],
                "after": [_rounded(each) for each in self.after],
            },
        }

    @classmethod
    def of_item(cls, item: dict[str, Any]) -> Reliability:
        """Read it.

        Raises:
            KeyError: Something is missing.
            ValueError: It says what cannot be.

        """
        errors, diagrams = item["expected_calibration_error"], item["reliability"]
        return cls(
            str(item["ground"]),
            int(item["pixels"]),
            float(errors["before"]),
            float(errors["after"]),
            _bins(diagrams["before"]),
            _bins(diagrams["after"]),
        )


def _rounded(each: Bin) -> dict[str, float]:
    return {name: round(value, _DIGITS) for name, value in asdict(each).items()}


def _bins(listed: list[dict[str, Any]]) -> tuple[Bin, ...]:
    if len(listed) > _MOST_BINS:
        raise ValueError(f"{CALIBRATION} has a diagram of {len(listed):,} bins")
    return tuple(
        Bin(float(each["confidence"]), float(each["accuracy"]), int(each["pixels"]))
        for each in listed
    )


def put_calibration(
    item: dict[str, Any], temperature: float, reliability: Reliability
) -> None:
    """Put a temperature and what was measured of it into an item as it was read.

    All else in it stays as whoever wrote it left it.
    """
    (output,) = item["properties"]["mlm:output"]
    output["post_processing_function"] = post_processing(temperature)
    item["properties"][CALIBRATION] = reliability.to_item()


def post_processing(temperature: float) -> dict[str, Any]:
    """Write what is done to an output before the softmax, as the extension has it."""
    return {"format": TEMPERATURE, "expression": {"temperature": temperature}}
