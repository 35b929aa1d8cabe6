"""The run card."""

from plugin.card.load import dump_card, load_card, override, parse_card, process_names, template
from plugin.card.model import Card

__all__ = ["Card", "dump_card", "load_card", "override", "parse_card", "process_names", "template"]
