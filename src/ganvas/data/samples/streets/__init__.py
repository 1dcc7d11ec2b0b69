"""`sample:streets`: streets at eye level as label maps and as photos, drawn by numpy alone."""

from ganvas.data.samples.streets.colours import PALETTE
from ganvas.data.samples.streets.drawing import draw
from ganvas.data.samples.streets.parts import PAIRS, PARTS, SIDE_BY_SIDE, draw_part

__all__ = ["PAIRS", "PALETTE", "PARTS", "SIDE_BY_SIDE", "draw", "draw_part"]
