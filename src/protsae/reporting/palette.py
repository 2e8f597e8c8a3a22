"""Colours of the figures, those of Okabe and Ito (2008) first: readable with any common colour blindness."""

BLUE, SKY, GREEN, VERMILION = "#0072B2", "#56B4E9", "#009E73", "#D55E00"
ORANGE, PURPLE, GREY = "#E69F00", "#CC79A7", "#8A929E"
OLIVE, CRIMSON = "#7F7F1F", "#C2185B"

DICTIONARY_COLOURS = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, OLIVE, CRIMSON)
"""By position: the subject is blue, its rival vermilion. report.css holds as many tones."""


def lighter(colour: str) -> str:
    """Return the lighter shade that free latents of a guided dictionary have."""
    if colour == BLUE:
        return SKY
    channels = (int(colour[start : start + 2], 16) for start in (1, 3, 5))
    return "#" + "".join(f"{(channel + 255) // 2:02X}" for channel in channels)
